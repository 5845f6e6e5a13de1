package main

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/scheduling"
)

// shape is one entry of a problem's "pods": Count equal pods, or one pod when Count is absent.
type shape struct {
	Name         string              `json:"name"`
	Count        int                 `json:"count"`
	Labels       map[string]string   `json:"labels"`
	Requests     map[string]string   `json:"requests"`
	NodeSelector map[string]string   `json:"nodeSelector"`
	Tolerations  []corev1.Toleration `json:"tolerations"`
	Affinity     *corev1.Affinity    `json:"affinity"`
}

// offer is one entry of a problem's "offerings". Capacity is what pods may use: nothing is taken off again.
type offer struct {
	InstanceType string            `json:"instance_type"`
	Zone         string            `json:"zone"`
	CapacityType string            `json:"capacity_type"`
	Price        float64           `json:"price"`
	Capacity     map[string]string `json:"capacity"`
	Labels       map[string]string `json:"labels"`
	Unavailable  bool              `json:"unavailable"`
}

type problem struct {
	Pods      []shape `json:"pods"`
	Offerings []offer `json:"offerings"`
}

func readProblem(path string) (problem, error) {
	var p problem
	text, err := os.ReadFile(path)
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(text, &p)
}

func quantities(amounts map[string]string) (corev1.ResourceList, error) {
	list := corev1.ResourceList{}
	for name, text := range amounts {
		q, err := resource.ParseQuantity(text)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", name, text, err)
		}
		list[corev1.ResourceName(name)] = q
	}
	return list, nil
}

// names gives the names of a shape's pods: NAME, or NAME-0 to NAME-(N-1) where a count is given.
func (s shape) names() []string {
	if s.Count <= 0 {
		return []string{s.Name}
	}
	all := make([]string, s.Count)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%d", s.Name, i)
	}
	return all
}

// pendingPods gives the pods as the API server would show them: pending, and marked unschedulable by kube-scheduler.
// All have one creation time, as the pods of one batch have, so that Karpenter's order falls back on the UID, which is
// made from the name and hence the same in every run.
func (p problem) pendingPods() ([]*corev1.Pod, error) {
	born := metav1.NewTime(time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC))
	var pods []*corev1.Pod
	for _, s := range p.Pods {
		requests, err := quantities(s.Requests)
		if err != nil {
			return nil, fmt.Errorf("pod %s: %w", s.Name, err)
		}
		limits := corev1.ResourceList{}
		for name, q := range requests {
			if strings.Contains(string(name), "/") { // extended resources are requested by their limit
				limits[name] = q
			}
		}
		for _, name := range s.names() {
			digest := sha1.Sum([]byte(name))
			pods = append(pods, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Name: name, Namespace: "default", Labels: s.Labels, CreationTimestamp: born,
					UID: types.UID(hex.EncodeToString(digest[:])),
				},
				Spec: corev1.PodSpec{
					NodeSelector: s.NodeSelector,
					Tolerations:  s.Tolerations,
					Affinity:     s.Affinity,
					Containers: []corev1.Container{{
						Name: "pod", Image: "registry.invalid/pod",
						Resources: corev1.ResourceRequirements{Requests: requests.DeepCopy(), Limits: limits.DeepCopy()},
					}},
				},
				Status: corev1.PodStatus{
					Phase: corev1.PodPending,
					Conditions: []corev1.PodCondition{{
						Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
					}},
				},
			})
		}
	}
	return pods, nil
}

// instanceTypes gathers the offerings by type, as a provider's GetInstanceTypes does, and gives the label keys that are
// the provider's own. A type that lacks one of those labels says so (DoesNotExist); without that, Karpenter would take
// the label to be free to choose.
func (p problem) instanceTypes() ([]*cloudprovider.InstanceType, []string, error) {
	keys := map[string]bool{}
	byName := map[string][]offer{}
	var order []string
	for _, o := range p.Offerings {
		if _, seen := byName[o.InstanceType]; !seen {
			order = append(order, o.InstanceType)
		}
		byName[o.InstanceType] = append(byName[o.InstanceType], o)
		for key := range o.Labels {
			keys[key] = true
		}
	}
	ownKeys := slices.Sorted(maps.Keys(keys))
	var all []*cloudprovider.InstanceType
	for _, name := range order {
		offers := byName[name]
		capacity, err := quantities(offers[0].Capacity)
		if err != nil {
			return nil, nil, fmt.Errorf("instance type %s: %w", name, err)
		}
		it := &cloudprovider.InstanceType{
			Name: name, Capacity: capacity, Overhead: &cloudprovider.InstanceTypeOverhead{},
		}
		zones, capacityTypes := map[string]bool{}, map[string]bool{}
		for _, o := range offers {
			zones[o.Zone], capacityTypes[o.CapacityType] = true, true
			it.Offerings = append(it.Offerings, &cloudprovider.Offering{
				Price: o.Price, Available: !o.Unavailable,
				Requirements: scheduling.NewLabelRequirements(map[string]string{
					karpv1.CapacityTypeLabelKey: o.CapacityType, corev1.LabelTopologyZone: o.Zone,
				}),
			})
		}
		in := func(key string, values ...string) *scheduling.Requirement {
			return scheduling.NewRequirement(key, corev1.NodeSelectorOpIn, values...)
		}
		it.Requirements = scheduling.NewRequirements(
			in(corev1.LabelInstanceTypeStable, name),
			in(corev1.LabelOSStable, string(corev1.Linux)),
			in(corev1.LabelTopologyZone, slices.Sorted(maps.Keys(zones))...),
			in(karpv1.CapacityTypeLabelKey, slices.Sorted(maps.Keys(capacityTypes))...),
		)
		for _, key := range ownKeys {
			if value, has := offers[0].Labels[key]; has {
				it.Requirements.Add(in(key, value))
			} else {
				it.Requirements.Add(scheduling.NewRequirement(key, corev1.NodeSelectorOpDoesNotExist))
			}
		}
		all = append(all, it)
	}
	return all, ownKeys, nil
}
