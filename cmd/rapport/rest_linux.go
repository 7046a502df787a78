package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// rest gives back the pages of the program's own code and constants that starting has
// touched: compilers of rules, schemas, classifiers of packs. What serving needs of
// them comes back from the page cache as it is used. Its failure costs nothing but
// memory, so it says nothing.
func rest() {
	self, err := os.Executable()
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var access string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &access); err != nil {
			continue
		}
		if strings.Contains(access, "w") || !strings.HasSuffix(lines.Text(), " "+self) {
			continue // what was written to lives nowhere else
		}
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
	}
}
