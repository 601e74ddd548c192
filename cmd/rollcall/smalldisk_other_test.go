//go:build !linux

package main

import "testing"

func smallDisk(t *testing.T, _ string) string {
	t.Helper()
	t.Skip("a small file system is mounted on Linux alone")
	return ""
}

func smallDatabase(t *testing.T, _ string) (string, string) {
	t.Skip("file systems are mounted on Linux alone")
	return "", ""
}
