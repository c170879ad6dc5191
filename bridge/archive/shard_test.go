package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"1/1": {1, 1}, "1/4": {1, 4}, "4/4": {4, 4}, "65536/65536": {65536, 65536}} {
		if shard, err := ParseShard(text); err != nil || shard != want || shard.String() != text {
			t.Errorf("%s: %v, %v", text, shard, err)
		}
	}
	for _, text := range []string{"", "/", "1", "1/", "/4", "0/4", "5/4", "1/0", "0/0", "-1/4", "+1/4", "1/-4", "x/y", "1/4/4", " 1/4", "1/4 ", "01/4", "1/04", "1.0/4", "65537/65537", "1/65537", "99999999999999999999/4", "1/18446744073709551617"} {
		var wrong *ShardError
		if shard, err := ParseShard(text); !errors.As(err, &wrong) || shard != (Shard{}) {
			t.Errorf("%q: %v, %v", text, shard, err)
		}
	}
}

// TestShardsDivide has every value in exactly one share, and the shares of about the same size.
func TestShardsDivide(t *testing.T) {
	edge := func(value int64) [sha256.Size]byte {
		var digest [sha256.Size]byte
		binary.BigEndian.PutUint64(digest[:], uint64(value)<<(64-shardBits))
		return digest
	}
	for _, of := range []int{1, 2, 3, 4, 7, 100, MostShards} {
		previous := int64(0)
		counts := make([]int, of)
		for number := 1; number <= of; number++ {
			first, end := Shard{number, of}.bounds()
			if first != previous || end <= first {
				t.Fatalf("share %d of %d is %d to %d, and the one before ends at %d", number, of, first, end, previous)
			}
			previous = end
			if s := (Shard{number, of}); !s.holds(edge(first)) || !s.holds(edge(end-1)) || number < of && s.holds(edge(end)) || number > 1 && s.holds(edge(first-1)) {
				t.Fatalf("the bounds of %s", s)
			}
		}
		if previous != 1<<shardBits {
			t.Fatalf("the last of %d ends at %d", of, previous)
		}
		if of > 100 {
			continue
		}
		for i := range 100 * of {
			digest := sha256.Sum256([]byte(strconv.Itoa(i)))
			held := 0
			for number := 1; number <= of; number++ {
				if (Shard{number, of}).holds(digest) {
					counts[number-1]++
					held++
				}
			}
			if held != 1 || !(Shard{}).holds(digest) {
				t.Fatalf("%x is in %d of %d shares", digest, held, of)
			}
		}
		for number, n := range counts {
			if n < 50 || n > 150 {
				t.Errorf("share %d of %d has %d keys of %d", number+1, of, n, 100*of)
			}
		}
	}
}

// TestSharesExclude tries pairs of runs in one directory.
func TestSharesExclude(t *testing.T) {
	whole := Shard{}
	for _, row := range []struct {
		first, second Shard
		together      bool
	}{
		{whole, whole, false},
		{whole, Shard{1, 4}, false},
		{Shard{1, 4}, whole, false},
		{Shard{1, 4}, Shard{1, 4}, false},
		{Shard{1, 4}, Shard{2, 4}, true},
		{Shard{1, 4}, Shard{4, 4}, true},
		{Shard{1, 4}, Shard{1, 3}, false}, // divided by another number: they have keys in common
		{Shard{2, 4}, Shard{1, 3}, false},
		{Shard{2, 4}, Shard{3, 3}, true},
		{Shard{1, 1}, Shard{3, 3}, false},
	} {
		directory := filepath.Join(t.TempDir(), "backups")
		release, err := Reserve(directory, row.first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Reserve(directory, row.second)
		var fault *FileError
		switch {
		case row.together && err != nil:
			t.Errorf("%v beside %v: %v", row.second, row.first, err)
		case !row.together && (!errors.As(err, &fault) || fault.Fault != DirectoryBusy):
			t.Errorf("%v beside %v: %v", row.second, row.first, err)
		}
		if err := release.Release(); err != nil {
			t.Error(err)
		}
		if third, err := Reserve(directory, row.first); err != nil {
			t.Errorf("%v after its end, beside %v: %v", row.first, row.second, err)
		} else if err := third.Release(); err != nil {
			t.Error(err)
		}
		if row.together {
			if err := second.Release(); err != nil {
				t.Error(err)
			}
		}
		if left, err := os.ReadDir(directory); len(left) > 0 || err == nil && !row.together { // whoever made it and left first could not remove it
			t.Errorf("%v beside %v: left: %v, %v", row.second, row.first, left, err)
		}
	}
}

// TestSharesComeAndGo has many workers come and leave at once: no two have a key in common, nobody is kept out by one who leaves, and
// nothing is left.
func TestSharesComeAndGo(t *testing.T) {
	directory := t.TempDir()
	const workers = 8
	failed := make(chan error, workers)
	for number := 1; number <= workers; number++ {
		go func() {
			for range 200 {
				release, err := Reserve(directory, Shard{number, workers})
				if err == nil {
					err = release.Release()
				}
				if err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range workers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(directory); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestShareIsHeldByOne has many want the same share: none gets it while another one has it, whoever removes the lock file meanwhile.
func TestShareIsHeldByOne(t *testing.T) {
	directory := t.TempDir()
	var holders, held atomic.Int32
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for range 500 {
				release, err := Reserve(directory, Shard{1, 2})
				var fault *FileError
				if errors.As(err, &fault) && fault.Fault == DirectoryBusy {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if held.Add(1); holders.Add(1) != 1 {
					t.Error("two have the same share")
				}
				runtime.Gosched()
				holders.Add(-1)
				if err := release.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	if held.Load() < 8 {
		t.Errorf("the share was held %d times", held.Load())
	}
}

// TestShareSweeps removes what a killed worker left, and not what another one has just begun.
func TestShareSweeps(t *testing.T) {
	directory := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	abandoned, begun := write(".p11bridge-1.part", "half"), write(".p11bridge-2.part", "")
	there := func(path string) bool { _, err := os.Stat(path); return err == nil }
	release, err := Reserve(directory, Shard{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	if there(abandoned) || !there(begun) {
		t.Errorf("abandoned: %v, begun: %v", there(abandoned), there(begun))
	}
	if err := release.Release(); err != nil {
		t.Fatal(err)
	}
	if release, err = Reserve(directory, Shard{}); err != nil {
		t.Fatal(err)
	}
	if there(begun) {
		t.Error("what was left empty outlived a run for all")
	}
	if err := release.Release(); err != nil {
		t.Fatal(err)
	}
}
