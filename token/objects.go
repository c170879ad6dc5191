package token

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"
)

const (
	// sampled is how many objects are read before it is decided how the others are.
	sampled = 8
	// mostSampled is how many are, at most, while none of them is a certificate: where certificates are a third of many objects, one run in
	// 25 sees none among the first eight, and would ask for each by two calls.
	mostSampled = 32
	// fewObjects is how many have to be left for more than one session, or for a search of the certificates, to be worth its calls.
	fewObjects = 32
	// mostReaders is how many sessions read objects at once.
	mostReaders = 8
	// slowCall is the time of a call from which on a module is worth to be called by several threads.
	slowCall = 500 * time.Microsecond
)

// Objects reads every object that the session shows, in the order of the module's search.
//
// There is one search, as a rule: each costs many modules a look at every object. Where many certificates are left, a second one says which they are,
// and each is read by one call in place of two. Where the calls take long, the objects are read over several sessions at once; the result
// is the same.
func (s *Session) Objects(ctx context.Context) ([]*Object, error) {
	objects, further, err := s.objects(ctx)
	if closing := closeAll(further); err == nil && Lost(closing) {
		err = closing
	}
	if err != nil {
		return nil, err
	}
	return objects, nil
}

// objects is Objects, and gives the sessions that are open beside this one. With an error there are none.
func (s *Session) objects(ctx context.Context) (objects []*Object, further []*Session, err error) {
	defer func() {
		if err != nil {
			_ = closeAll(further) // the failure before says more
			further = nil
		}
	}()
	handles, err := s.everyObject(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := &reading{handles: handles, objects: make([]*Object, len(handles)), next: new(atomic.Int64)}
	reader := &objectReader{session: s}
	first := min(sampled, len(handles))
	if err := r.read(ctx, reader, first); err != nil {
		return nil, nil, err
	}
	for ; first < mostSampled && len(handles)-first >= fewObjects && !slices.ContainsFunc(r.objects[:first], isCertificate); first++ {
		if err := r.read(ctx, reader, first+1); err != nil {
			return nil, nil, err
		}
	}
	if len(handles)-first >= fewObjects {
		if reader.certificates, err = s.certificatesAmong(ctx, handles, r.objects[:first]); err != nil {
			return nil, nil, err
		}
		if s.module.concurrent && median(reader.took) > slowCall {
			further, err = r.readApart(ctx, reader)
		}
	}
	if err == nil {
		err = r.read(ctx, reader, len(handles))
	}
	if err != nil {
		return nil, further, err
	}
	objects = slices.DeleteFunc(r.objects, func(o *Object) bool { return o == nil })
	if len(objects) > 0 && !slices.ContainsFunc(objects, func(o *Object) bool { return o.Class.known() }) {
		return nil, further, &AnswerError{Function: "C_GetAttributeValue", Fault: AnswerData, Err: fmt.Errorf("%d objects, and none of a CKA_CLASS that is known", len(objects))}
	}
	return objects, further, nil
}

// reading is a list of handles that is being read. An object that went away meanwhile stays nil.
type reading struct {
	handles []pkcs11.ObjectHandle
	objects []*Object
	next    *atomic.Int64
}

// read reads what nobody has begun, up to an end.
func (r *reading) read(ctx context.Context, reader *objectReader, end int) error {
	for {
		i := int(r.next.Load())
		if i >= end {
			return nil
		}
		if !r.next.CompareAndSwap(int64(i), int64(i+1)) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		object, err := reader.read(r.handles[i])
		if code, known := CodeOf(err); known && code == CKRObjectHandleInvalid {
			if err = reader.session.gone(ctx, r.handles[i], err); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		r.objects[i] = object
	}
}

// readApart reads what is left over as many sessions as the token gives, the main one among them, and gives the others. The first failure
// ends all of them. A session that does not show an object as the main one does reads nothing; where the first one does not, no other is
// opened.
func (r *reading) readApart(ctx context.Context, main *objectReader) (further []*Session, err error) {
	readers := r.readers(main)
	if len(readers) == 0 || !r.opens(readers[0], main.session.Slot, main.session.LoggedIn) {
		return nil, nil
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	for _, reader := range append(slices.Clone(readers), main) {
		running.Go(func() {
			if reader.session == nil && !r.opens(reader, main.session.Slot, main.session.LoggedIn) {
				return
			}
			if err := r.read(ctx, reader, len(r.handles)); err != nil {
				stop(err)
			}
		})
	}
	running.Wait()
	for _, reader := range readers {
		if reader.session != nil {
			further = append(further, reader.session)
		}
	}
	return further, context.Cause(ctx)
}

// readers are to read beside the main one, and have learnt what it has. They have no sessions yet.
func (r *reading) readers(main *objectReader) []*objectReader {
	most := mostReaders
	if limit := main.session.Slot.Token.MaxSessions; limit > 0 {
		most = min(most, int(limit))
	}
	most = min(most, 1+(len(r.handles)-int(r.next.Load()))/2)
	var readers []*objectReader
	for range most - 1 {
		readers = append(readers, main.clone(nil))
	}
	return readers
}

// opens opens a session for a reader, if the token gives one that shows an object as the main one does.
func (r *reading) opens(reader *objectReader, slot Slot, loggedIn bool) bool {
	session, err := slot.OpenSession(ReadOnly)
	if err != nil {
		return false
	}
	session.LoggedIn = loggedIn
	reader.session = session
	if again, err := reader.read(r.handles[0]); err != nil || !sameAnswers(again, r.objects[0]) {
		reader.session = nil
		_ = session.Close() // a connection that is lost shows in the main one
		return false
	}
	return true
}

// sameAnswers tells whether two readings gave the same.
func sameAnswers(x, y *Object) bool {
	return y != nil && bytes.Equal(x.Attributes.packed, y.Attributes.packed)
}

// certificatesAmong searches for the certificates where many seem to be left. It gives none unless the search is right about every object that was
// read: CKA_VALUE is asked of what it finds, and of a private key that would be the key.
func (s *Session) certificatesAmong(ctx context.Context, handles []pkcs11.ObjectHandle, read []*Object) (map[pkcs11.ObjectHandle]bool, error) {
	seen, others := 0, 0
	for _, o := range read {
		switch {
		case o == nil:
		case isCertificate(o):
			seen++
		default:
			others++
		}
	}
	if others == 0 || seen*(len(handles)-len(read)) < sampled*fewObjects/4 {
		return nil, nil //nolint:nilnil // an empty answer, as of a search that finds nothing
	}
	found, err := s.find(ctx, CKOCertificate.String(), ulong(CKAClass, uint(CKOCertificate)))
	if err != nil {
		if _, given := CodeOf(err); given && !Lost(err) && !endsSearching(err) {
			return nil, nil //nolint:nilnil // it can be done without
		}
		return nil, err
	}
	certificates := make(map[pkcs11.ObjectHandle]bool, len(found))
	for _, handle := range found {
		certificates[handle] = true
	}
	for _, o := range read {
		if o != nil && certificates[o.handle] != isCertificate(o) {
			return nil, nil //nolint:nilnil // a search that is not to be believed
		}
	}
	return certificates, nil
}

func isCertificate(o *Object) bool { return o != nil && o.Class == CKOCertificate }

// median is the time in the middle: a machine that is busy makes some calls slow, a module that is slow makes all.
func median(took []time.Duration) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)/2]
}

// gone is nil where an object was removed by somebody else since it was found. An object that is still listed could not be read:
// it is not one that is not there.
func (s *Session) gone(ctx context.Context, handle pkcs11.ObjectHandle, reading error) error {
	handles, err := s.everyObject(ctx)
	switch {
	case err != nil:
		return err
	case slices.Contains(handles, handle):
		return reading
	}
	return nil
}

// known reports whether the class is one of the specification's, or a vendor's own (PKCS#11 v3.1 §4.1.1).
func (c Class) known() bool {
	_, named := classNames[c]
	return named || c >= 1<<31 && c < 1<<32
}
