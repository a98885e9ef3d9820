// Writes Alertmanager's own web pages, which Debian's package lacks, to the directory that it is given. Built by
// setup.sh beside assets_vfsdata.go of Alertmanager's module, which has them.
package main

import (
	"io"
	"log"
	"os"
	"path/filepath"
)

func write(from, to string) error {
	file, err := Assets.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.IsDir() {
		content, err := io.ReadAll(file)
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o644)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := file.Readdir(-1)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := write(from+"/"+entry.Name(), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if err := write("/static", os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
