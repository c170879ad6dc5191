package token

import (
	"sync"
	"sync/atomic"
)

// spread does the work for each of the items, by so many goroutines at once. A lost connection ends it, and is the error; else that is any.
func spread[T any](goroutines int, items []T, work func(T) error) error {
	var next atomic.Int64
	var mutex sync.Mutex
	var failure error
	var running sync.WaitGroup
	for range min(goroutines, len(items)) {
		running.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(items) {
					return
				}
				if err := work(items[i]); err != nil {
					mutex.Lock()
					if failure == nil || Lost(err) && !Lost(failure) {
						failure = err
					}
					if Lost(err) {
						next.Store(int64(len(items)))
					}
					mutex.Unlock()
				}
			}
		})
	}
	running.Wait()
	return failure
}
