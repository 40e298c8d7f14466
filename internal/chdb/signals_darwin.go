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
	sigaction, err := purego.Dlsym(purego.RTLD_DEFAULT, "sigaction")
	if err != nil {
		panic("chdb: libSystem has no sigaction: " + err.Error())
	}
	saved := make([]action, len(guarded))
	for i, s := range guarded {
		call(sigaction, uintptr(s), 0, uintptr(unsafe.Pointer(&saved[i])))
	}
	f()
	for i, s := range guarded {
		call(sigaction, uintptr(s), uintptr(unsafe.Pointer(&saved[i])), 0)
	}
}
