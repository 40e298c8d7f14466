package chdb

import (
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// guarded are the signals that libchdb's start may take over: those by which Go turns faults into panics, preempts
// goroutines (URG), profiles (PROF) and tells a program to stop.
var guarded = []syscall.Signal{
	syscall.SIGILL, syscall.SIGABRT, syscall.SIGFPE, syscall.SIGBUS, syscall.SIGSEGV, syscall.SIGTRAP, syscall.SIGSYS,
	syscall.SIGURG, syscall.SIGPROF, syscall.SIGPIPE, syscall.SIGCHLD,
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP,
}

// action is struct sigaction of <sys/signal.h>.
type action struct {
	handler uintptr
	mask    uint32
	flags   int32
}

// keepSignals runs f and then restores every handler that f changed.
func keepSignals(f func()) {
	set := sigaction()
	saved := signalActions()
	f()
	for i, s := range guarded {
		call(set, uintptr(s), uintptr(unsafe.Pointer(&saved[i])), 0)
	}
}

// signalActions returns the actions in force for the guarded signals.
func signalActions() []action {
	get := sigaction()
	actions := make([]action, len(guarded))
	for i, s := range guarded {
		call(get, uintptr(s), 0, uintptr(unsafe.Pointer(&actions[i])))
	}
	return actions
}

// sigaction is the address of sigaction(2)'s wrapper in libSystem, which every process has loaded.
func sigaction() uintptr {
	address, err := purego.Dlsym(purego.RTLD_DEFAULT, "sigaction")
	if err != nil {
		panic("chdb: libSystem has no sigaction: " + err.Error())
	}
	return address
}
