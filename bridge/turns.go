package bridge

import (
	"sync"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/token/secret"
)

// turns hands out what the workers of a run have one each of, sessions or tokens, and erases for them what their work with keys leaves in
// memory. secret.Erase looks at everything that is in memory, the inventory of a whole token included: once for each key, it would take a
// time that grows by the square of the keys. So many files share one erasing, for which they wait without their names. Nobody works with
// a key meanwhile: what one key's work puts into a pool of the standard library, another key's could hold on to.
type turns[T any] struct {
	free      chan T
	most      int    // files that may wait
	overwrite func() // secret.Erase

	mutex   sync.Mutex
	changed *sync.Cond // running or waiting has
	running int
	left    bool // somebody has worked with a key since the last erasing
	waiting []chan struct{}
	erased  time.Time // when the last erasing ended
	took    time.Duration
}

const (
	// erasingShare is how many times as long as it took the last time nothing is erased again: a twentieth of the time at most.
	erasingShare = 20
	// erasingPause is how long files wait for others at least. With little in memory, the workers would else wait for each other all the time.
	erasingPause = 2 * time.Second
	// mostWaiting bounds what files that wait hold: memory, and descriptors.
	mostWaiting = 4096
	// filesForOne is how many open files a waiting one may cost: itself, its password, their directories, and as many to spare.
	filesForOne = 8
)

func newTurns[T any](workers []T) *turns[T] {
	t := &turns[T]{free: make(chan T, len(workers)), overwrite: secret.Erase, erased: time.Now(),
		most: max(1, min(mostWaiting, archive.MostOpenFiles()/filesForOne))}
	t.changed = sync.NewCond(&t.mutex)
	for _, worker := range workers {
		t.free <- worker
	}
	return t
}

// turn is what one goroutine works with.
type turn[T any] struct {
	of   *turns[T]
	with T
}

// start waits until a turn is free, and has a goroutine work with it. Where it is time to erase, it is erased first.
func (t *turns[T]) start(work func(*turn[T])) {
	if t.due() {
		t.erase()
	}
	one := &turn[T]{t, <-t.free}
	t.mutex.Lock()
	t.running++
	t.mutex.Unlock()
	go func() {
		work(one)
		t.free <- one.with
		t.mutex.Lock()
		defer t.mutex.Unlock()
		t.running--
		t.changed.Signal()
	}()
}

func (t *turns[T]) due() bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.left && erasingDue(time.Since(t.erased), t.took, len(t.waiting), t.most)
}

// erasingDue is the rule: since the last erasing, which took so long, so much time has passed, and so many files wait.
func erasingDue(since, took time.Duration, waiting, most int) bool {
	return waiting >= most || since >= max(erasingPause, erasingShare*took)
}

// erase waits until every turn is free, overwrites what keys left, and lets those go on who waited for it. One goroutine erases, and it
// has no turn.
func (t *turns[T]) erase() {
	var all []T
	for range cap(t.free) {
		all = append(all, <-t.free)
	}
	t.mutex.Lock()
	left, waiting := t.left, t.waiting
	t.left, t.waiting = false, nil
	t.mutex.Unlock()
	if left {
		begun := time.Now()
		t.overwrite()
		t.mutex.Lock()
		t.erased, t.took = time.Now(), time.Since(begun)
		t.mutex.Unlock()
	}
	for _, goesOn := range waiting {
		close(goesOn)
	}
	for _, one := range all {
		t.free <- one
	}
}

// finish waits until all have ended who were started, and erases whenever there is nobody left but those who wait for it.
func (t *turns[T]) finish() {
	for {
		t.mutex.Lock()
		for t.running > len(t.waiting) {
			t.changed.Wait()
		}
		ended := t.running == 0
		t.mutex.Unlock()
		t.erase()
		if ended {
			return
		}
	}
}

// worked notes that there was work with a key, which the next erasing is for.
func (t *turn[T]) worked() {
	t.of.mutex.Lock()
	defer t.of.mutex.Unlock()
	t.of.left = true
}

// wait gives the turn to others until what this one's work left is erased, and goes on with another.
func (t *turn[T]) wait() {
	goesOn := make(chan struct{})
	t.of.mutex.Lock()
	t.of.left, t.of.waiting = true, append(t.of.waiting, goesOn)
	t.of.changed.Signal()
	t.of.mutex.Unlock()
	t.of.free <- t.with
	<-goesOn
	t.with = <-t.of.free
}
