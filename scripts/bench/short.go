package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// shortfalls passes on what is printed, and keeps the lines in which an aim is missed, each with the heading that it stands below.
type shortfalls struct {
	printed *os.File // where it is printed to meanwhile
	to      *os.File // where it goes on to
	reading sync.WaitGroup
	missed  []string
}

// watch begins with what is printed from here on.
func watch() (*shortfalls, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	s := &shortfalls{printed: out, to: os.Stdout}
	os.Stdout = out
	s.reading.Go(func() { s.read(in) })
	return s, nil
}

func (s *shortfalls) read(in io.Reader) {
	lines := bufio.NewScanner(in)
	heading := ""
	for lines.Scan() {
		line := lines.Text()
		fmt.Fprintln(s.to, line)
		switch {
		case strings.Contains(line, "MISSED"):
			s.missed = append(s.missed, heading+": "+strings.Join(strings.Fields(line), " "))
		case line != "" && !strings.HasPrefix(line, " "):
			heading = line
		}
	}
}

// end lists them, and prints as before from here on.
func (s *shortfalls) end() error {
	os.Stdout = s.to
	err := s.printed.Close()
	s.reading.Wait()
	fmt.Printf("\nAims missed: %d\n", len(s.missed))
	for _, line := range s.missed {
		fmt.Println("  " + line)
	}
	return err
}

// load is how busy the machine is: how many processes run or want to, on average of the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
