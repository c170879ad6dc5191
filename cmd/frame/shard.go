package frame

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/messages"
	"p11bridge/token/foreign"
)

// ShardFlag is --shard.
type ShardFlag struct {
	text string
	flag *pflag.Flag
}

// ShardFlag adds --shard to a command's flags.
func (a *App) ShardFlag(flags *pflag.FlagSet) *ShardFlag {
	s := &ShardFlag{}
	flags.StringVar(&s.text, "shard", "", "flag.shard")
	s.flag = flags.Lookup("shard")
	return s
}

// Given reports whether the flag was given; nil is one that was not. An empty value is one, too: of a variable that an engine did not set.
func (s *ShardFlag) Given() bool { return s != nil && s.flag.Changed }

// Shard is the share, or the whole where the flag was not given.
func (s *ShardFlag) Shard() (archive.Shard, error) {
	if !s.Given() {
		return archive.Shard{}, nil
	}
	shard, err := archive.ParseShard(s.text)
	var wrong *archive.ShardError
	if errors.As(err, &wrong) {
		return shard, UsageMeant("error.shard", messages.Args{"Given": foreign.Text(s.text), "Most": messages.Number(archive.MostShards)}, nearShards(s.text)...)
	}
	return shard, err
}

// nearShards is the share that was meant by a number that is not from 1 to N.
func nearShards(text string) []string {
	var number, of int
	if n, err := fmt.Sscanf(text, "%d/%d", &number, &of); err != nil || n != 2 || of < 1 || of > archive.MostShards {
		return nil
	}
	near := archive.Shard{Number: max(1, min(number, of)), Of: of}
	return []string{"--shard " + near.String()}
}
