//go:build unix && !linux

package testenv

import "syscall"

// Elsewhere a killed test process leaves its children behind, and Pause stops a server's main process only.

func ownGroup(user *User, _ syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if user != nil {
		attr.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID}
	}
	return attr
}

func children(int) []int { return nil }

func removeSharedMemory(int) {}
