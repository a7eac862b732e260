// The processes under the supervisor. A child that must stay ends the supervisor when it ends (as in K3s, where all
// are one process); the controllers may be started again. When the supervisor dies, the kernel takes the children
// with it; pods stay.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

type children struct {
	binary string // this program, as every upstream role
	bin    string // where containerd, runc and ctr lie
	failed chan error

	mutex    sync.Mutex
	stopping bool
	running  []*exec.Cmd
}

func childrenNew() (*children, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	bin := filepath.Dir(binary)
	if err := os.Setenv("PATH", bin+":"+os.Getenv("PATH")); err != nil {
		return nil, err
	}
	// Libraries that Debian's runc needs and a small root may not have lie beside bin/; ours is static and needs none.
	if lib := filepath.Join(filepath.Dir(bin), "lib"); exists(lib) {
		if err := os.Setenv("LD_LIBRARY_PATH", lib); err != nil {
			return nil, err
		}
	}
	// Where processors are emulated, collecting garbage half as often and not interrupting goroutines by signals is
	// what makes the difference; real ones do not notice.
	for key, value := range map[string]string{"GOGC": "200", "GODEBUG": "asyncpreemptoff=1,tlsmlkem=0"} {
		if os.Getenv(key) == "" {
			if err := os.Setenv(key, value); err != nil {
				return nil, err
			}
		}
	}
	// READY=1 is ours to say; etcd and containerd would say it for themselves.
	return &children{binary: binary, bin: bin, failed: make(chan error, 8)}, nil
}

func (c *children) process(path, name string, args []string) *exec.Cmd {
	command := exec.Command(path, args...)
	command.Args[0] = name
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	for _, word := range os.Environ() {
		if len(word) < 13 || word[:13] != "NOTIFY_SOCKET" {
			command.Env = append(command.Env, word)
		}
	}
	return command
}

// role starts an upstream role of this binary; again says whether it may be started again when it ends.
func (c *children) role(name string, again bool, args ...string) {
	c.start(c.binary, name, again, args)
}

func (c *children) start(path, name string, again bool, args []string) {
	go func() {
		runtime.LockOSThread() // the death signal comes when the thread that started the child ends
		for {
			command := c.process(path, name, args)
			c.mutex.Lock()
			if c.stopping {
				c.mutex.Unlock()
				return
			}
			err := command.Start()
			if err == nil {
				c.running = append(c.running, command)
			}
			c.mutex.Unlock()
			if err == nil {
				err = command.Wait()
			}
			c.mutex.Lock()
			stopping := c.stopping
			c.mutex.Unlock()
			if stopping {
				return
			}
			if !again {
				c.failed <- fmt.Errorf("%s ended: %v", name, err)
				return
			}
			log.Printf("k3s: %s ended (%v), starting it again", name, err)
			time.Sleep(time.Second)
		}
	}()
}

// stop ends the children in the reverse order of their start.
func (c *children) stop() {
	c.mutex.Lock()
	c.stopping = true
	running := append([]*exec.Cmd{}, c.running...)
	c.mutex.Unlock()
	for i := len(running) - 1; i >= 0; i-- {
		if running[i].Process.Signal(syscall.SIGTERM) != nil {
			continue // ended before
		}
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if running[i].Process.Signal(syscall.Signal(0)) != nil {
				break
			}
		}
		if err := running[i].Process.Kill(); err == nil {
			log.Printf("k3s: %s did not end by itself", running[i].Args[0])
		}
	}
}
