// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	etcd "go.etcd.io/etcd/client/v3"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

type fakeMembers struct {
	members []*etcdserverpb.Member
	refuses error
}

func (f *fakeMembers) MemberList(context.Context, ...etcd.OpOption) (*etcd.MemberListResponse, error) {
	return &etcd.MemberListResponse{Members: f.members}, nil
}

func (f *fakeMembers) MemberRemove(_ context.Context, id uint64) (*etcd.MemberRemoveResponse, error) {
	if f.refuses != nil {
		return nil, f.refuses
	}
	for i, m := range f.members {
		if m.ID == id {
			f.members = append(f.members[:i:i], f.members[i+1:]...)
			return &etcd.MemberRemoveResponse{}, nil
		}
	}
	return nil, errors.New("no such member")
}

func member(id uint64, name, address string, learner bool) *etcdserverpb.Member {
	return &etcdserverpb.Member{ID: id, Name: name, PeerURLs: []string{"https://" + address + ":2380"}, IsLearner: learner}
}

func serverOf(name, ip string) *server { return &server{node: &node{name: name, ip: ip}} }

func condition(n *core.Node) string {
	for _, c := range n.Status.Conditions {
		if c.Type == "EtcdIsVoter" {
			return string(c.Status) + " " + c.Reason
		}
	}
	return ""
}

func TestAServerSaysOfItsMemberWhatK3sSays(t *testing.T) {
	ctx := context.Background()
	client := fake.NewClientset(&core.Node{ObjectMeta: metav1.ObjectMeta{Name: "a", Finalizers: []string{"other"}}})
	members := &fakeMembers{members: []*etcdserverpb.Member{member(1, "a-0f", "10.0.0.1", true)}}
	round := func() *core.Node {
		t.Helper()
		if err := serverOf("a", "10.0.0.1").membershipRound(ctx, client, members, "a-0f"); err != nil {
			t.Fatal(err)
		}
		n, err := client.CoreV1().Nodes().Get(ctx, "a", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := round()
	for _, role := range []string{"control-plane", "etcd", "master"} {
		if n.Labels["node-role.kubernetes.io/"+role] != "true" {
			t.Errorf("no label %s: %v", role, n.Labels)
		}
	}
	if n.Annotations["etcd.k3s.cattle.io/node-name"] != "a-0f" || n.Annotations["etcd.k3s.cattle.io/node-address"] != "10.0.0.1" {
		t.Error(n.Annotations)
	}
	if strings.Join(n.Finalizers, ",") != "other,wrangler.cattle.io/managed-etcd-controller" {
		t.Error(n.Finalizers)
	}
	if condition(n) != "False MemberIsLearner" {
		t.Error(condition(n))
	}
	members.members[0].IsLearner = false
	if n = round(); condition(n) != "True MemberNotLearner" {
		t.Error(condition(n))
	}
	if marksPatch(n, "a-0f", "10.0.0.1") != nil || voterPatch(n, false, time.Now()) != nil {
		t.Error("what is said already is said again")
	}
}

func deleted(name, memberName, address string) *core.Node {
	now := metav1.Now()
	return &core.Node{ObjectMeta: metav1.ObjectMeta{Name: name, DeletionTimestamp: &now, Finalizers: []string{memberFinalizer, "other"},
		Annotations: map[string]string{memberNameKey: memberName, memberAddressKey: address}}}
}

func TestTheMemberOfADeletedNodeGoesBeforeTheNode(t *testing.T) {
	ctx := context.Background()
	client := fake.NewClientset(deleted("b", "b-01", "10.0.0.2"))
	members := &fakeMembers{refuses: errors.New("unhealthy cluster"), members: []*etcdserverpb.Member{
		member(1, "a-0f", "10.0.0.1", false), member(2, "b-01", "10.0.0.2", false), member(3, "b-02", "10.0.0.2", false)}}
	finalizers := func() string {
		n, err := client.CoreV1().Nodes().Get(ctx, "b", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(n.Finalizers, ",")
	}
	a := serverOf("a", "10.0.0.1")
	if err := a.membershipRound(ctx, client, members, "a-0f"); err == nil || finalizers() != memberFinalizer+",other" {
		t.Errorf("etcd refused, and the Node is let go: %v %s", err, finalizers())
	}
	members.refuses = nil
	if err := a.membershipRound(ctx, client, members, "a-0f"); err != nil || finalizers() != "other" {
		t.Errorf("%v %s", err, finalizers())
	}
	if len(members.members) != 2 || members.members[1].Name != "b-02" {
		t.Errorf("another member than the Node's went: %v", members.members)
	}
	if err := a.membershipRound(ctx, client, members, "a-0f"); err != nil { // nothing left to do
		t.Error(err)
	}
}

func TestAMemberIsOnlyTheNodesByNameAndAddress(t *testing.T) {
	members := []*etcdserverpb.Member{member(1, "b-01", "10.0.0.9", false), member(2, "", "10.0.0.2", true)}
	if m := memberOfNode(deleted("b", "b-01", "10.0.0.2"), members); m != nil {
		t.Error(m)
	}
	if m := memberOfNode(deleted("b", "", "10.0.0.2"), members); m != nil {
		t.Error("a member without a name is nobody's: ", m)
	}
}

func TestAJoinerFindsItsPlace(t *testing.T) {
	voters := []*etcdserverpb.Member{member(1, "a-0f", "10.0.0.1", false), member(2, "b-01", "10.0.0.2", false)}
	for _, row := range []struct {
		what    string
		members []*etcdserverpb.Member
		list    string
		add     bool
		problem string
	}{
		{"new", voters, "a-0f=https://10.0.0.1:2380,b-01=https://10.0.0.2:2380", true, ""},
		{"added in an earlier start", append(voters[:2:2], member(3, "", "10.0.0.3", true)),
			"a-0f=https://10.0.0.1:2380,b-01=https://10.0.0.2:2380,c-02=https://10.0.0.3:2380", false, ""},
		{"another is just joining", append(voters[:2:2], member(3, "", "10.0.0.4", true)), "", false, "another server is just joining"},
		{"its name is taken", append(voters[:2:2], member(3, "c-01", "10.0.0.3", false)), "", false, "duplicate node name"},
	} {
		list, add, err := joinPlace(row.members, "c", "c-02", "10.0.0.3")
		if strings.Join(list, ",") != row.list || add != row.add || (err == nil) != (row.problem == "") ||
			(err != nil && !strings.Contains(err.Error(), row.problem)) {
			t.Errorf("%s: %v %v %v", row.what, list, add, err)
		}
	}
}
