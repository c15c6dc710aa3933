// Command etcd is etcd's own server: a binary of our own only because etcd's main package lives in a module that cannot be built as a tool.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
