package wholefile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"rollcall.example/rollcall/wholefile"
)

// trace is a disk that notes what it is asked for, fails at one step, and from then on
// does nothing if the machine has stopped there. Before each step whoever looks may look.
type trace struct {
	steps []string
	fail  int   // the number of the step that fails, from 1
	with  error // how
	dead  bool  // the machine stops there
	room  int   // bytes
	look  func(step string)
}

var errStopped = errors.New("the machine has stopped")

func (d *trace) step(what, path string) error {
	what += " " + filepath.Base(path)
	if d.look != nil {
		d.look(what)
	}
	if d.fail > 0 && d.dead && len(d.steps) >= d.fail {
		return errStopped
	}
	if d.steps = append(d.steps, what); len(d.steps) == d.fail {
		if d.dead {
			return errStopped
		}
		return d.with
	}
	return nil
}

func (d *trace) Create(folder, pattern string) (wholefile.Unnamed, error) {
	if err := d.step("create", strings.TrimSuffix(pattern, ".*")); err != nil {
		return nil, err
	}
	u, err := wholefile.OS.Create(folder, pattern)
	return &traced{u, d}, err
}

func (d *trace) Rename(from, to string) error {
	return errors.Join(d.step("rename", to), d.unless(func() error { return wholefile.OS.Rename(from, to) }))
}

func (d *trace) Link(from, to string) error {
	return errors.Join(d.step("link", to), d.unless(func() error { return wholefile.OS.Link(from, to) }))
}

func (d *trace) Remove(name string) error {
	if d.dead && len(d.steps) >= d.fail {
		return errStopped
	}
	return wholefile.OS.Remove(name)
}

func (d *trace) Sync(folder string) error {
	return errors.Join(d.step("folder", "synced"), d.unless(func() error { return wholefile.OS.Sync(folder) }))
}

// unless does what was asked for, unless it was to fail.
func (d *trace) unless(do func() error) error {
	if d.fail > 0 && len(d.steps) >= d.fail {
		return nil
	}
	return do()
}

type traced struct {
	wholefile.Unnamed
	d *trace
}

// called is the name that a file is to have.
func (u *traced) called() string {
	name := strings.TrimPrefix(filepath.Base(u.Name()), ".")
	return strings.TrimSuffix(name, filepath.Ext(name))
}

func (u *traced) Write(p []byte) (int, error) {
	if err := u.d.step("write", u.called()); err != nil {
		n, _ := u.Unnamed.Write(p[:len(p)/2])
		return n, err
	}
	if u.d.room > 0 && len(p) > u.d.room {
		n, _ := u.Unnamed.Write(p[:u.d.room])
		u.d.room = 0
		return n, &fs.PathError{Op: "write", Path: u.Name(), Err: syscall.ENOSPC}
	}
	u.d.room -= len(p)
	return u.Unnamed.Write(p)
}

func (u *traced) Chmod(m fs.FileMode) error {
	return errors.Join(u.d.step("chmod", u.called()), u.Unnamed.Chmod(m))
}

func (u *traced) Sync() error { return errors.Join(u.d.step("sync", u.called()), u.Unnamed.Sync()) }

func (u *traced) Close() error {
	return errors.Join(u.d.step("close", u.called()), u.Unnamed.Close())
}

var (
	before = bytes.Repeat([]byte("old "), 5000)
	after  = bytes.Repeat([]byte("new! "), 6000)
)

// pair is a folder with an old file of two that are to be written.
func pair(t *testing.T) (dir string, files []wholefile.File) {
	t.Helper()
	dir = t.TempDir()
	files = []wholefile.File{{Path: filepath.Join(dir, "part"), Data: after}, {Path: filepath.Join(dir, "result"), Data: after}}
	if err := os.WriteFile(files[1].Path, before, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, files
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return b
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		out = append(out, e.Name())
	}
	return out
}

// whole is every step of writing two files, in order.
var whole = []string{
	"create .part", "write part", "chmod part", "sync part", "close part",
	"create .result", "write result", "chmod result", "sync result", "close result",
	"rename part", "rename result", "folder synced",
}

func TestAFileIsCompleteAndSyncedBeforeItHasItsName(t *testing.T) {
	_, files := pair(t)
	d := &trace{}
	if err := wholefile.Write(d, files...); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.steps, whole) {
		t.Errorf("it does\n%q, not\n%q", d.steps, whole)
	}
	for _, f := range files {
		if !bytes.Equal(read(t, f.Path), after) {
			t.Errorf("%s is not what was written", f.Path)
		}
	}
}

func TestWhateverFailsNothingUnfinishedIsLeftOrSeen(t *testing.T) {
	for n, step := range whole {
		dir, files := pair(t)
		d := &trace{fail: n + 1, with: syscall.EIO}
		d.look = func(step string) { neverAPart(t, files, step) }
		err := wholefile.Write(d, files...)
		var which *wholefile.Error
		if !errors.Is(err, syscall.EIO) || !errors.As(err, &which) {
			t.Errorf("%s fails: %v", step, err)
			continue
		}
		if _, path, _ := strings.Cut(step, " "); path != "synced" && filepath.Base(which.Path) != strings.TrimPrefix(path, ".") {
			t.Errorf("%s fails: the error names %s", step, which.Path)
		}
		neverAPart(t, files, step)
		if left := names(t, dir); slices.ContainsFunc(left, func(n string) bool { return strings.HasPrefix(n, ".") }) {
			t.Errorf("%s fails: %q are left", step, left)
		}
		if step != "folder synced" && !bytes.Equal(read(t, files[1].Path), before) {
			t.Errorf("%s fails: the old file is gone", step)
		}
	}
}

func TestWheneverTheMachineStopsTheOldFileIsThereOrTheNewOne(t *testing.T) {
	for n, step := range whole {
		_, files := pair(t)
		d := &trace{fail: n + 1, dead: true}
		if err := wholefile.Write(d, files...); !errors.Is(err, errStopped) {
			t.Errorf("%s: %v", step, err)
		}
		neverAPart(t, files, step)
	}
}

// neverAPart: each file is the old one or the new one, and the second is not new without the first.
func neverAPart(t *testing.T, files []wholefile.File, step string) {
	t.Helper()
	part, result := read(t, files[0].Path), read(t, files[1].Path)
	if part != nil && !bytes.Equal(part, after) {
		t.Errorf("at %s: a part of %d bytes is seen", step, len(part))
	}
	if !bytes.Equal(result, before) && (!bytes.Equal(result, after) || part == nil) {
		t.Errorf("at %s: the result is seen with %d bytes, the part with %d", step, len(result), len(part))
	}
}

func TestAFullDiskIsSaidAndLeavesTheOldFile(t *testing.T) {
	for _, room := range []int{1, len(after) - 1, len(after) + 1, 2*len(after) - 1} {
		dir, files := pair(t)
		err := wholefile.Write(&trace{room: room}, files...)
		if !errors.Is(err, syscall.ENOSPC) || !bytes.Equal(read(t, files[1].Path), before) || len(names(t, dir)) != 1 {
			t.Errorf("room for %d bytes: %v, %q", room, err, names(t, dir))
		}
	}
}

func TestWhoReadsWhileAFileIsReplacedSeesOneOrTheOther(t *testing.T) {
	_, files := pair(t)
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if b, err := os.ReadFile(files[1].Path); err != nil || !bytes.Equal(b, before) && !bytes.Equal(b, after) {
					t.Errorf("%d bytes, %v", len(b), err)
					return
				}
			}
		})
	}
	for n := range 50 {
		if err := wholefile.Write(wholefile.OS, wholefile.File{Path: files[1].Path, Data: [][]byte{after, before}[n%2]}); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	all.Wait()
}

func TestANewFileNeverTakesAnothersPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	var all sync.WaitGroup
	won := make(chan string, 8)
	for n := range 8 {
		all.Go(func() {
			text := fmt.Sprint("by ", n)
			err := wholefile.Write(wholefile.OS, wholefile.File{Path: path, Data: []byte(text), New: true})
			if err == nil {
				won <- text
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("%d have made it", len(won))
	}
	if text := <-won; string(read(t, path)) != text || len(names(t, dir)) != 1 {
		t.Errorf("%s has made it, it is %s, and there are %q", text, read(t, path), names(t, dir))
	}
}

func TestAFileIsThisUsersAloneUnlessItIsSaid(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are POSIX's")
	}
	for _, c := range []struct {
		say, want fs.FileMode
	}{{0, 0o600}, {0o600, 0o600}, {0o644, 0o644}} {
		dir, files := pair(t)
		path := files[1].Path
		d := &trace{look: func(string) { // also before it has its name
			for _, name := range names(t, dir) {
				if info, err := os.Stat(filepath.Join(dir, name)); strings.HasPrefix(name, ".") && (err != nil || info.Mode().Perm() != 0o600 && info.Mode().Perm() != c.want) {
					t.Errorf("mode %o on the way to %o, %v", info.Mode().Perm(), c.want, err)
				}
			}
		}}
		if err := wholefile.Write(d, wholefile.File{Path: path, Data: after, Mode: c.say}); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != c.want {
			t.Errorf("said %o: %v %v", c.say, info.Mode(), err)
		}
	}
}
