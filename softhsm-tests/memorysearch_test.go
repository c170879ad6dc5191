package softhsmtests

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// search is what is sought in the memory of processes: eight bytes in a row of a secret number, as they stand in memory, read
// in little-endian order. Searching for such words instead of whole numbers finds the number in any order of its words,
// big-endian as PKCS#11 has it or little-endian as math/big does, and finds parts of it as well.
type search struct {
	words  map[uint64]string
	first  [1 << 16]bool // whether a word begins with these two bytes
	public []byte        // what must be found where the object has been read: it shows that the search sees
}

func newSearch(t *testing.T, public []byte, secrets map[string][]byte) *search {
	t.Helper()
	s := &search{words: map[uint64]string{}, public: public}
	for what, number := range secrets {
		for i := 0; i+8 <= len(number); i += 8 {
			at := number[len(number)-8-i : len(number)-i]
			big, little := binary.BigEndian.Uint64(at), binary.LittleEndian.Uint64(at)
			for _, word := range []uint64{big, little, big<<32 | big>>32, little<<32 | little>>32} {
				if word&0xFFFF != 0 { // two zeros begin too much
					s.words[word] = what
					s.first[word&0xFFFF] = true
				}
			}
		}
	}
	if len(s.words) == 0 || len(public) < 32 {
		t.Fatalf("nothing to look for: %d words", len(s.words))
	}
	return s
}

// finding is what one look at one process found.
type finding struct {
	secrets map[string]int // occurrences of words, by the number that they are of
	public  int
	bytes   int
}

// in searches everything that the process can read of its own memory and that was ever in use.
func (s *search) in(pid int) (finding, error) {
	found := finding{secrets: map[string]int{}}
	directory := filepath.Join("/proc", strconv.Itoa(pid))
	maps, err := os.ReadFile(filepath.Join(directory, "maps"))
	if err != nil {
		return found, err
	}
	memory, err := os.Open(filepath.Join(directory, "mem"))
	if err != nil {
		return found, err
	}
	defer memory.Close()
	pages, err := os.Open(filepath.Join(directory, "pagemap"))
	if err != nil {
		return found, err
	}
	defer pages.Close()
	lines := bufio.NewScanner(bytes.NewReader(maps))
	for lines.Scan() {
		var from, to uint64
		var access string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &access); err != nil {
			return found, fmt.Errorf("%s: %w", lines.Text(), err)
		}
		if access[0] == 'r' && !strings.HasSuffix(lines.Text(), "[vvar]") && !strings.HasSuffix(lines.Text(), "[vsyscall]") { // the kernel's own
			touched, err := touchedIn(pages, int64(from), int64(to))
			if err != nil {
				return found, err
			}
			for _, r := range touched {
				s.inRange(memory, r[0], r[1], &found)
			}
		}
	}
	return found, nil
}

// touchedIn lists the parts of a range that are in memory or swapped out. What was never touched since the process started
// holds nothing, and is most of what it reserved; a page of a file that was not read yet is not of this process's making.
func touchedIn(pages io.ReaderAt, from, to int64) (touched [][2]int64, err error) {
	const size, present, swapped = 4096, 1 << 63, 1 << 62
	entries := make([]byte, (to-from)/size*8)
	n, err := pages.ReadAt(entries, from/size*8)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for i := 0; i+8 <= n; i += 8 {
		if binary.NativeEndian.Uint64(entries[i:])&(present|swapped) == 0 {
			continue
		}
		at := from + int64(i/8)*size
		if last := len(touched) - 1; last >= 0 && touched[last][1] == at {
			touched[last][1] += size
		} else {
			touched = append(touched, [2]int64{at, at + size})
		}
	}
	return touched, nil
}

// piece is how much is read at once. Pieces overlap, so that nothing is cut.
const piece = 1 << 20

func (s *search) inRange(memory io.ReaderAt, from, to int64, found *finding) {
	overlap := int64(max(8, len(s.public)) - 1)
	buffer := pieces.Get().(*[]byte)
	defer pieces.Put(buffer)
	for at := from; at < to; at += piece - overlap {
		n, err := memory.ReadAt((*buffer)[:min(piece, to-at)], at)
		if err != nil && n == 0 { // unmapped since, or a guard page
			return
		}
		s.inPiece((*buffer)[:n], found)
		if found.bytes += n; at+int64(n) >= to {
			return
		}
	}
}

var pieces = sync.Pool{New: func() any { b := make([]byte, piece); return &b }}

var emptyPage = make([]byte, 4096)

func (s *search) inPiece(b []byte, found *finding) {
	found.public += bytes.Count(b, s.public)
	for i := 0; i+8 <= len(b); i++ {
		if i%len(emptyPage) == 0 && bytes.HasPrefix(b[i:], emptyPage) {
			i += len(emptyPage) - 8
			continue
		}
		if !s.first[uint16(b[i])|uint16(b[i+1])<<8] {
			continue
		}
		if what, is := s.words[binary.LittleEndian.Uint64(b[i:])]; is {
			found.secrets[what]++
		}
	}
}
