package db

import (
	"reflect"
	"runtime"
)

// nested reports whether the calling goroutine is inside the function of a
// transaction, that is below a frame of call. Waiting for the writer from the
// writer would never end, and on PostgreSQL two connections would wait for
// each other, so it is worth a walk up the stack.
func nested() bool {
	want := reflect.ValueOf(call).Pointer()
	var pcs [96]uintptr
	skip := 3
	for {
		n := runtime.Callers(skip, pcs[:])
		for _, pc := range pcs[:n] {
			if f := runtime.FuncForPC(pc - 1); f != nil && f.Entry() == want {
				return true
			}
		}
		if n < len(pcs) {
			return false
		}
		skip += n
	}
}
