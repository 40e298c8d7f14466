package chdb

import (
	"syscall"
	"unsafe"
)

// guarded are the signals that libchdb's start may take over: those by which Go turns faults into panics, preempts
// goroutines (URG), profiles (PROF) and tells a program to stop.
var guarded = []syscall.Signal{
	syscall.SIGILL, syscall.SIGABRT, syscall.SIGFPE, syscall.SIGBUS, syscall.SIGSEGV, syscall.SIGTRAP, syscall.SIGSYS,
	syscall.SIGURG, syscall.SIGPROF, syscall.SIGPIPE, syscall.SIGCHLD,
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP,
}

// action is the kernel's struct sigaction on 64-bit Linux; os/signal offers no way to save one.
type action struct{ handler, flags, restorer, mask uint64 }

// keepSignals runs f and then restores every handler that f changed. The calls can fail only for a signal that does not
// exist.
func keepSignals(f func()) {
	saved := signalActions()
	f()
	for i, s := range guarded {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&saved[i])), 0, 8, 0, 0)
	}
}

// signalActions returns the actions in force for the guarded signals.
func signalActions() []action {
	actions := make([]action, len(guarded))
	for i, s := range guarded {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), 0, uintptr(unsafe.Pointer(&actions[i])), 8, 0, 0)
	}
	return actions
}
