package redisd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

const (
	masters = 3
	slots   = 16384
)

// A Cluster is three masters and three replicas.
type Cluster struct {
	Nodes []*Server

	t testing.TB
}

// StartCluster starts a cluster and waits until every replica follows its master. That takes a few seconds.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	var bus []int
	for range 2 * masters {
		bus = append(bus, freePort(t))
		s := newServer(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus[len(bus)-1]), "--cluster-node-timeout", "1000",
			"--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
		s.Start()
		c.Nodes = append(c.Nodes, s)
	}
	ctx := context.Background()
	for i, s := range c.Nodes {
		if err := s.cli.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			t.Fatal(err)
		}
		if i < masters {
			if err := s.cli.ClusterAddSlotsRange(ctx, i*slots/masters, (i+1)*slots/masters-1).Err(); err != nil {
				t.Fatal(err)
			}
		}
		host, port, _ := net.SplitHostPort(s.Addr)
		if err := c.Nodes[0].cli.Do(ctx, "CLUSTER", "MEET", host, port, bus[i]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range c.Nodes[masters:] {
		Until(t, "the replica knows its master", func(ctx context.Context) error {
			id, err := c.Nodes[i].cli.ClusterMyID(ctx).Result()
			if err != nil {
				return err
			}
			return s.cli.ClusterReplicate(ctx, id).Err()
		})
	}
	c.Settled()
	return c
}

// Settled waits until every node that runs finds the cluster whole, and every replica that runs follows a master.
func (c *Cluster) Settled() {
	c.t.Helper()
	for _, s := range c.Nodes {
		if s.cmd == nil {
			continue
		}
		Until(c.t, "the cluster is whole", func(ctx context.Context) error {
			info, err := s.cli.ClusterInfo(ctx).Result()
			if err != nil {
				return err
			}
			nodes, err := s.cli.ClusterNodes(ctx).Result()
			replication, err2 := s.cli.InfoMap(ctx, "replication").Result()
			if err != nil || err2 != nil {
				return errors.Join(err, err2)
			}
			switch {
			case !strings.Contains(info, "cluster_state:ok"), strings.Count(nodes, "\n") < len(c.Nodes):
				return errors.New(info)
			case replication["Replication"]["role"] == "slave" && replication["Replication"]["master_link_status"] != "up":
				return fmt.Errorf("a replica does not follow: %v", replication)
			}
			return nil
		})
	}
}

// Dial makes a client of the cluster as a gateway has it.
func (c *Cluster) Dial() redis.UniversalClient {
	var addrs []string
	for _, s := range c.Nodes {
		addrs = append(addrs, s.Addr)
	}
	return NewClient(&redis.UniversalOptions{Addrs: addrs})
}

// Master is the node that serves a key.
func (c *Cluster) Master(key string) (found *Server) {
	c.t.Helper()
	client := c.Dial().(*redis.ClusterClient)
	defer client.Close()
	Until(c.t, "a master serves "+key, func(ctx context.Context) error {
		client.ReloadState(ctx)
		master, err := client.MasterForKey(ctx, key)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(c.Nodes, func(s *Server) bool { return s.Addr == master.Options().Addr })
		if i < 0 || c.Nodes[i].cmd == nil {
			return errors.New("it does not run")
		}
		found = c.Nodes[i]
		return nil
	})
	return found
}

// Replica is a running node that follows a master, or nil.
func (c *Cluster) Replica(master *Server) *Server {
	for _, s := range c.Nodes {
		if s.cmd == nil || s == master {
			continue
		}
		replication, err := s.cli.InfoMap(context.Background(), "replication").Result()
		if err != nil {
			continue
		}
		r := replication["Replication"]
		if r["role"] == "slave" && net.JoinHostPort(r["master_host"], r["master_port"]) == master.Addr {
			return s
		}
	}
	return nil
}
