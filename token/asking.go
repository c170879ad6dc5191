package token

import (
	"sync"

	"p11bridge/token/pki"
)

// asking has private keys answer challenges in sessions apart from the one that reads the token: a signature that failed may leave an
// operation open that nothing else ends, and a search or the next signature in the same session would fail for it. A token that gives no
// further session is asked in that one.
type asking struct {
	main  *Session
	mutex sync.Mutex // who uses main
	apart []*apart   // each for one goroutine; at least one

	vanished []*Object // keys that were not found any more when they were asked
}

// apart is one further session, for as long as all that was asked in it came to an end.
type apart struct {
	of      *asking
	session *Session // nil where none is open
	used    bool     // a key has answered in it
}

// newAsking takes over the sessions that are open beside the main one.
func newAsking(main *Session, further []*Session) *asking {
	a := &asking{main: main}
	for _, session := range further {
		a.apart = append(a.apart, &apart{of: a, session: session})
	}
	if len(a.apart) == 0 {
		a.apart = []*apart{{of: a}}
	}
	return a
}

// challenge has a key answer. What fails in a session in which another key has answered before is asked once more in a fresh one: the
// module may not have ended what it answered.
func (o *apart) challenge(key *Object, public pki.PublicKey) (response, error) {
	for {
		if o.session == nil {
			session, err := o.of.main.Slot.OpenSession(ReadOnly)
			if Lost(err) {
				return nil, err
			}
			if err != nil {
				o.of.mutex.Lock()
				defer o.of.mutex.Unlock()
				return o.of.main.challenge(key, public)
			}
			o.session, o.used = session, false
		}
		answer, err := o.session.challenge(key, public)
		if err == nil {
			o.used = true
			return answer, nil
		}
		again := o.used && !Lost(err)
		if closing := o.close(); Lost(closing) {
			return nil, closing
		}
		if !again {
			return nil, err
		}
	}
}

func (o *apart) close() error {
	if o.session == nil {
		return nil
	}
	session := o.session
	o.session = nil
	return session.Close()
}

// close ends the sessions, all at once: a module may be far away. The error is of one whose connection is lost, else any.
func (a *asking) close() error {
	sessions := make([]*Session, 0, len(a.apart))
	for _, one := range a.apart {
		if one.session != nil {
			sessions = append(sessions, one.session)
		}
	}
	return closeAll(sessions)
}

// closeAll closes sessions of a module that may be called by as many threads. The error is of one whose connection is lost, else any.
func closeAll(sessions []*Session) error {
	return spread(len(sessions), sessions, (*Session).Close)
}
