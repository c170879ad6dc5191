package token

import "context"

// ObjectCount counts the objects that a session shows.
type ObjectCount struct {
	All          int `json:"all"`
	Certificates int `json:"certificates"`
	PublicKeys   int `json:"public_keys"`
	PrivateKeys  int `json:"private_keys"`
}

// Count counts the objects that the session shows, by class. The errors are those of C_FindObjectsInit and its kin.
func (s *Session) Count(ctx context.Context) (ObjectCount, error) {
	all, err := s.everyObject(ctx)
	if err != nil {
		return ObjectCount{}, err
	}
	count := ObjectCount{All: len(all)}
	if len(all) == 0 {
		return count, nil
	}
	for _, row := range []struct {
		class  Class
		number *int
	}{{CKOCertificate, &count.Certificates}, {CKOPublicKey, &count.PublicKeys}, {CKOPrivateKey, &count.PrivateKeys}} {
		found, err := s.find(ctx, row.class.String(), ulong(CKAClass, uint(row.class)))
		if err != nil {
			return ObjectCount{}, err
		}
		*row.number = len(found)
	}
	return count, nil
}
