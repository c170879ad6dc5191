package pfx

import "math"

const (
	maxFileSize  = 16 << 20
	maxDepth     = 32
	maxSafeDepth = 8
	maxSalt      = 1 << 16 // a salt goes through the hash once, whatever the count
	maxBags      = 4096
	maxSafes     = 256
	maxOID       = 128
	// maxAttributes keeps the memory in proportion to the file: the smallest attribute has seven bytes.
	maxAttributes = 1 << 14
	// totalFactor bounds the work that one file may cause, as a multiple of the limit of one derivation.
	totalFactor = 32
)

func checkSize(length int) error {
	if length > maxFileSize {
		return &LimitError{What: LimitFileSize, Value: int64(length), Bound: maxFileSize}
	}
	return nil
}

func checkSalt(length int) error {
	if length > maxSalt {
		return &LimitError{What: LimitSalt, Value: int64(length), Bound: maxSalt}
	}
	return nil
}

// checkIterations refuses counts to write that Decode would refuse to read.
func checkIterations(iterations int) error {
	switch {
	case iterations < 1:
		return &LimitError{What: LimitIterations, Value: int64(iterations), Bound: 1}
	case iterations > MaxIterations:
		return &LimitError{What: LimitIterations, Value: int64(iterations), Bound: MaxIterations}
	}
	return nil
}

// budget is what the derivations of one file may still cost.
type budget struct {
	each, total, spent int64
}

func newBudget(each int) *budget {
	if each == 0 {
		each = MaxIterations
	}
	total := int64(math.MaxInt64)
	if int64(each) <= math.MaxInt64/totalFactor {
		total = int64(each) * totalFactor
	}
	return &budget{each: int64(each), total: total}
}

// spend is asked before every derivation.
func (b *budget) spend(n int64) error {
	if n > b.each {
		return &LimitError{What: LimitIterations, Value: n, Bound: b.each}
	}
	if n > b.total-b.spent {
		return &LimitError{What: LimitTotalIterations, Value: b.spent + n, Bound: b.total}
	}
	b.spent += n
	return nil
}
