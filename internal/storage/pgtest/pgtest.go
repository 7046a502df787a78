// Package pgtest starts a PostgreSQL server of its own for whoever wants to try the
// shared store (steps 1 to 3 stand on its log) against a real one: in a temporary
// folder, reachable through a socket in that folder and by nothing else, stopped by
// its handle.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNotInstalled says that there is no PostgreSQL server on this machine.
var ErrNotInstalled = errors.New("PostgreSQL is not installed (Debian package: postgresql)")

// Required tells that tests must not go without PostgreSQL: the environment says so.
func Required() bool { return os.Getenv("RAPPORT_REQUIRE_POSTGRES") == "1" }

// Options of a server.
type Options struct {
	// Durable makes commits wait for the disk, as in life. Tests that do not measure
	// have no use for it.
	Durable bool
}

// Server is a running PostgreSQL.
type Server struct {
	dir  string
	run  *exec.Cmd
	over chan error
}

// program finds a server's program, the newest version first.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return "", ErrNotInstalled
	}
	slices.SortFunc(found, func(a, b string) int { return len(a) - len(b) + 2*strings.Compare(a, b) })
	return found[len(found)-1], nil
}

// Start makes a database cluster in a temporary folder and starts a server over it.
// Run by root, it becomes an ordinary user, for PostgreSQL refuses to be root.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := program("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg") // short: a socket's path has room for 107 bytes
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, over: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start PostgreSQL: %w", err), s.Stop())
		}
	}()
	as, err := ordinary(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	made := exec.CommandContext(ctx, initdb, "--pgdata", data, "--username", "rapport", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	as(made)
	made.Dir = dir
	if out, err := made.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	settings := []string{"listen_addresses=", "unix_socket_directories=" + dir, "max_connections=300", "shared_buffers=128MB"}
	if !o.Durable {
		settings = append(settings, "fsync=off", "full_page_writes=off")
	}
	args := []string{"-D", data}
	for _, c := range settings {
		args = append(args, "-c", c)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.run = exec.Command(postgres, args...)
	as(s.run)
	s.run.Dir, s.run.Stdout, s.run.Stderr = dir, log, log
	endWithParent(s.run)
	started := make(chan error)
	go func() {
		// Linux watches the thread that started the server, so that one has to stay.
		runtime.LockOSThread()
		err := s.run.Start()
		started <- err
		if err == nil {
			s.over <- s.run.Wait()
		}
	}()
	if err := <-started; err != nil {
		s.run = nil
		return nil, err
	}
	return s, s.await(ctx)
}

// await returns when the server answers.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case over := <-s.over:
			s.over <- over
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("the server ended: %w: %s", over, text)
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// URL is the address of a database.
func (s *Server) URL(database string) string {
	q := url.Values{"host": {s.dir}, "user": {"rapport"}}
	return "postgres:///" + database + "?" + q.Encode()
}

// Schema makes an empty schema in the first database and gives its address: a house of
// its own at the price of a millisecond.
func (s *Server) Schema(ctx context.Context, name string) (string, error) {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", fmt.Errorf("schema %s: %w", name, err)
	}
	return s.URL("postgres") + "&search_path=" + url.QueryEscape(pgx.Identifier{name}.Sanitize()), nil
}

// CPU is the processor time of the server and its connections so far, those that are
// over included; 0 where the system does not tell.
func (s *Server) CPU() (sum time.Duration) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(rest) // state, parent, …; times in hundredths of a second from field 11 on
		if len(f) < 15 {
			continue
		}
		fields := []int{11, 12}
		switch strconv.Itoa(s.run.Process.Pid) {
		case f[1]:
		case filepath.Base(filepath.Dir(path)):
			fields = append(fields, 13, 14) // with its past children
		default:
			continue
		}
		for _, i := range fields {
			n, _ := strconv.ParseInt(f[i], 10, 64)
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	if s.run != nil {
		_ = s.run.Process.Signal(os.Interrupt) // "fast": connections are closed
		select {
		case err := <-s.over:
			s.over <- err
		case <-time.After(20 * time.Second):
			_ = s.run.Process.Kill()
			s.over <- <-s.over
		}
	}
	return os.RemoveAll(s.dir)
}
