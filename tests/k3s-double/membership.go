// What a server says of its etcd member on its own Node, and what becomes of a member whose Node is deleted, by K3s'
// rules: annotations with the member's name and address, the condition EtcdIsVoter, the labels of servers, and a
// finalizer that keeps a deleted Node until its member is removed.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/url"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	etcd "go.etcd.io/etcd/client/v3"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	memberNameKey    = "etcd.k3s.cattle.io/node-name"
	memberAddressKey = "etcd.k3s.cattle.io/node-address"
	memberFinalizer  = "wrangler.cattle.io/managed-etcd-controller"
	voterCondition   = core.NodeConditionType("EtcdIsVoter")
	etcdLabel        = "node-role.kubernetes.io/etcd"
	membershipEvery  = 10 * time.Second
)

var serverLabels = []string{"node-role.kubernetes.io/control-plane", etcdLabel, "node-role.kubernetes.io/master"}

// marksPatch is what the Node of the member @name at @address lacks, as a merge patch; nil when nothing.
func marksPatch(node *core.Node, name, address string) map[string]any {
	labels, annotations, metadata := map[string]string{}, map[string]string{}, map[string]any{}
	for _, key := range serverLabels {
		if node.Labels[key] != "true" {
			labels[key] = "true"
		}
	}
	for key, value := range map[string]string{memberNameKey: name, memberAddressKey: address} {
		if node.Annotations[key] != value {
			annotations[key] = value
		}
	}
	if len(labels) > 0 {
		metadata["labels"] = labels
	}
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	if !contains(node.Finalizers, memberFinalizer) {
		metadata["finalizers"] = append(append([]string{}, node.Finalizers...), memberFinalizer)
		metadata["resourceVersion"] = node.ResourceVersion // a list is replaced whole: not over somebody else's change
	}
	if len(metadata) == 0 {
		return nil
	}
	return map[string]any{"metadata": metadata}
}

// voterPatch is the condition of a Node whose member is a learner or a voter, as a patch of its status; nil when the
// Node says it already.
func voterPatch(node *core.Node, learner bool, now time.Time) map[string]any {
	condition := core.NodeCondition{Type: voterCondition, Status: core.ConditionTrue, Reason: "MemberNotLearner",
		Message: "Node is a voting member of the etcd cluster", LastHeartbeatTime: metav1.NewTime(now), LastTransitionTime: metav1.NewTime(now)}
	if learner {
		condition.Status, condition.Reason = core.ConditionFalse, "MemberIsLearner"
		condition.Message = "Node has not been promoted to a voting member of the etcd cluster"
	}
	for _, was := range node.Status.Conditions {
		if was.Type == voterCondition && was.Status == condition.Status && was.Reason == condition.Reason {
			return nil
		}
	}
	return map[string]any{"status": map[string]any{"conditions": []core.NodeCondition{condition}}}
}

// memberOfNode finds the member that a Node's annotations name; both name and address must fit.
func memberOfNode(node *core.Node, members []*etcdserverpb.Member) *etcdserverpb.Member {
	for _, m := range members {
		if m.Name != node.Annotations[memberNameKey] || m.Name == "" {
			continue
		}
		for _, peer := range m.PeerURLs {
			if u, err := url.Parse(peer); err == nil && u.Hostname() == node.Annotations[memberAddressKey] {
				return m
			}
		}
	}
	return nil
}

// leaving: a deleted Node that waits for us to remove its member.
func leaving(node *core.Node) bool {
	return node.DeletionTimestamp != nil && contains(node.Finalizers, memberFinalizer)
}

// releasePatch takes our finalizer off a Node.
func releasePatch(node *core.Node) map[string]any {
	kept := []string{}
	for _, f := range node.Finalizers {
		if f != memberFinalizer {
			kept = append(kept, f)
		}
	}
	return map[string]any{"metadata": map[string]any{"finalizers": kept, "resourceVersion": node.ResourceVersion}}
}

// membershipKeep does all that for as long as this server runs.
func (s *server) membershipKeep(ctx context.Context, client kubernetes.Interface) error {
	members, err := etcdClient(s.server(), "https://127.0.0.1:2379")
	if err != nil {
		return err
	}
	defer members.Close()
	name, err := s.etcdName(s.server("db", "etcd"))
	if err != nil {
		return err
	}
	said := ""
	for {
		word := ""
		if err := s.membershipRound(ctx, client, members, name); err != nil {
			word = err.Error()
		}
		if word != said && word != "" {
			log.Printf("k3s: etcd membership: %s", word)
		}
		said = word
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(membershipEvery):
		}
	}
}

// memberAccess is what of etcd's client is used here.
type memberAccess interface {
	MemberList(context.Context, ...etcd.OpOption) (*etcd.MemberListResponse, error)
	MemberRemove(context.Context, uint64) (*etcd.MemberRemoveResponse, error)
}

func (s *server) membershipRound(ctx context.Context, client kubernetes.Interface, etcd memberAccess, name string) error {
	try, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	nodes := client.CoreV1().Nodes()
	patch := func(node *core.Node, kind types.PatchType, what map[string]any, part ...string) error {
		if what == nil {
			return nil
		}
		body, err := json.Marshal(what)
		if err == nil {
			_, err = nodes.Patch(try, node.Name, kind, body, metav1.PatchOptions{}, part...)
		}
		return err
	}
	all, err := nodes.List(try, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	listed, err := etcd.MemberList(try)
	if err != nil {
		return err
	}
	for i := range all.Items {
		node := &all.Items[i]
		switch {
		case leaving(node):
			if m := memberOfNode(node, listed.Members); m != nil {
				if _, err := etcd.MemberRemove(try, m.ID); err != nil {
					return err
				}
				log.Printf("k3s: etcd membership: %s is deleted: its member %s is removed", node.Name, m.Name)
			}
			if err := patch(node, types.MergePatchType, releasePatch(node)); err != nil {
				return err
			}
		case node.Name == s.name && node.DeletionTimestamp == nil:
			if err := patch(node, types.MergePatchType, marksPatch(node, name, s.ip)); err != nil {
				return err
			}
			for _, m := range listed.Members {
				if m.Name != name {
					continue
				}
				if err := patch(node, types.StrategicMergePatchType, voterPatch(node, m.IsLearner, time.Now()), "status"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
