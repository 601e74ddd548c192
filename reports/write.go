package reports

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"rollcall.example/rollcall/wholefile"
)

// Names of the files of a result folder.
const (
	ResultFile = "result.json"
	ReportFile = "report.html"
	JUnitFile  = "junit.xml"
	SeriesFile = "series.csv"

	// ScenarioFile is the resolved scenario, which gives the same result again.
	ScenarioFile = "resolved.yaml"
)

// Write fills the derived figures and writes the four files into a folder,
// which it makes when there is none; with replications and with a scenario one more
// each, and without them it takes away those of an earlier run. All are written under temporary names and
// renamed at the end, result.json last, so that no half-written result stands
// under its final name. m may be nil: then the report has no map.
func Write(dir string, r *Result, m *Map) error {
	files, err := render(r, m)
	if err != nil {
		return err
	}
	if err := (folder{dir, wholefile.OS}).write(files); err != nil {
		return err
	}
	for name, there := range map[string]bool{ReplicationsFile: r.Uncertainty != nil, ScenarioFile: len(r.Scenario) > 0, SeriesFile: r.Live == nil} {
		if there {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s of an earlier run could not be removed: %w", name, err)
		}
	}
	return nil
}

// Names of what an interrupted run leaves: nobody shall take it for a result.
const (
	PartialResultFile = "result.partial.json"
	PartialSeriesFile = "series.partial.csv"
)

// WritePartial keeps what an interrupted run had: the figures so far, and the
// days that were complete, those before a date (YYYY-MM-DD). It returns the
// path of the days.
func WritePartial(dir string, r *Result, before string) (string, error) {
	result, err := Encode(r)
	if err != nil {
		return "", err
	}
	days := *r
	days.Nation.Series = nil
	for _, row := range r.Nation.Series {
		if row.Date < before {
			days.Nation.Series = append(days.Nation.Series, row)
		}
	}
	err = folder{dir, wholefile.OS}.write([]file{{PartialSeriesFile, renderSeries(&days)}, {PartialResultFile, result}})
	return filepath.Join(dir, PartialSeriesFile), err
}

type file struct {
	name string
	data []byte
}

// render makes the files in the order in which they get their final names.
func render(r *Result, m *Map) ([]file, error) {
	result, err := Encode(r)
	if err != nil {
		return nil, err
	}
	doc, err := ParseDocument(result)
	if err != nil {
		return nil, err
	}
	html, err := renderPage(r, doc, m)
	if err != nil {
		return nil, fmt.Errorf("the report cannot be made: %w", err)
	}
	junit, err := renderJUnit(r, doc)
	if err != nil {
		return nil, fmt.Errorf("the JUnit file cannot be made: %w", err)
	}
	files := []file{{JUnitFile, junit}, {ReportFile, html}}
	if r.Live == nil { // a load has no days
		files = append([]file{{SeriesFile, renderSeries(r)}}, files...)
	}
	if r.Uncertainty != nil {
		files = append(files, file{ReplicationsFile, renderReplications(r.Uncertainty)})
	}
	if len(r.Scenario) > 0 {
		files = append(files, file{ScenarioFile, r.Scenario})
	}
	return append(files, file{ResultFile, result}), nil
}

// renderPage makes the page of a result's way.
func renderPage(r *Result, doc *Document, m *Map) ([]byte, error) {
	if r.Live != nil {
		return renderLive(r)
	}
	return renderHTML(r, doc, m)
}

type folder struct {
	dir  string
	disk wholefile.Disk
}

func (d folder) write(files []file) error {
	if err := os.MkdirAll(d.dir, 0o777); err != nil {
		return d.explain(d.dir, 0, err)
	}
	size := map[string]int{}
	var all []wholefile.File
	for _, f := range files {
		path := filepath.Join(d.dir, f.name)
		size[path] = len(f.data)
		all = append(all, wholefile.File{Path: path, Data: f.data, Mode: 0o644})
	}
	err := wholefile.Write(d.disk, all...)
	if which := (*wholefile.Error)(nil); errors.As(err, &which) {
		return d.explain(which.Path, size[which.Path], which.Err)
	}
	return err
}

// explain says what could not be written, why, and what to do.
func (d folder) explain(path string, size int, err error) error {
	const other = "or choose another folder with --out"
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%s cannot be written, the disk is full: free at least %d MB there, %s (nothing of this result was left behind): %w", path, size/1e6+1, other, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s cannot be written, permission is missing: make the folder %s writable, %s: %w", path, d.dir, other, err)
	case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s cannot be written, a file is in the way of a folder: move it away, %s: %w", path, other, err)
	}
	return fmt.Errorf("%s cannot be written: %w (choose another folder with --out)", path, err)
}
