package token

import (
	"context"

	"github.com/miekg/pkcs11"
)

// everyObject lists the handles of all objects that the session shows, in the order of the module's search.
//
// Some modules end each search after so many objects, without a word: wolfPKCS11 as it is built by default gives ten. A key behind the
// tenth object would be one that is not there, and a key that was not destroyed one that is gone. So where the number that was found could be
// such a limit, each class is searched as well. That costs some modules another look at every object, and others find what they hid. The
// error is an *AnswerError where a class, too, has as many objects as the limit: there may be more of them than any search gives.
func (s *Session) everyObject(ctx context.Context) ([]pkcs11.ObjectHandle, error) {
	all, err := s.find(ctx, "all objects")
	if err != nil || !mayBeLimit(len(all)) {
		return all, err
	}
	limit, seen := len(all), map[pkcs11.ObjectHandle]bool{}
	for _, handle := range all {
		seen[handle] = true
	}
	full, more := false, false // a class has as many as the limit; one has more, so that it is none
	for _, class := range []Class{CKOPrivateKey, CKOCertificate, CKOPublicKey, CKOSecretKey, CKOData} {
		found, err := s.find(ctx, class.String(), ulong(CKAClass, uint(class)))
		if _, given := CodeOf(err); given && !Lost(err) && !endsSearching(err) {
			continue // a class that the module does not know
		}
		if err != nil {
			return nil, err
		}
		full, more = full || len(found) == limit, more || len(found) > limit
		for _, handle := range found {
			if !seen[handle] {
				seen[handle] = true
				all = append(all, handle)
			}
		}
	}
	if full && !more && len(all) > limit {
		return nil, &AnswerError{Function: "C_FindObjects", Fault: AnswerLimit, Err: &SearchLimitError{limit}}
	}
	return all, nil
}

// mayBeLimit reports whether a search that gave n objects may have ended because it gives no more. A limit is a round number, and a small one:
// a module with room for many objects has room for their handles.
func mayBeLimit(n int) bool {
	const smallest, largest = 8, 1024
	return n >= smallest && n <= largest && (n%10 == 0 || n&(n-1) == 0)
}
