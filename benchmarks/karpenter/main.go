// Command karpenter runs Karpenter's own provisioning scheduler on one problem file and prints its answer as JSON.
//
// It is Karpenter as a library: the same Scheduler.Solve that its provisioner calls, with an empty cluster, the file's
// pods pending and the file's offerings as the provider's instance types. Each NodeClaim is priced at the cheapest
// offering that it may still become, which is what the cloud would be asked for first.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/awslabs/operatorpkg/status"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/log"

	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	provisioning "sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/events"
	"sigs.k8s.io/karpenter/pkg/operator/injection"
	"sigs.k8s.io/karpenter/pkg/operator/options"
	"sigs.k8s.io/karpenter/pkg/scheduling"
)

// workers is what Karpenter derives from its default CPU request of one core. More of them gave the same answers later.
const workers = 1

// answer is what this program prints. Nodes are in the format of every engine's answer to a problem file.
type answer struct {
	Version     string  `json:"version"`
	Layout      string  `json:"layout"`
	WallSeconds float64 `json:"wall_seconds"`
	CPUSeconds  float64 `json:"cpu_seconds"`
	TimedOut    bool    `json:"timed_out"`
	Cost        float64 `json:"cost"`
	Nodes       []node  `json:"nodes"`
}

type node struct {
	InstanceType string   `json:"instance_type"`
	Zone         string   `json:"zone"`
	CapacityType string   `json:"capacity_type"`
	Pods         []string `json:"pods"`
}

// absentProvider fills the place of a cloud: state.Cluster holds one, the scheduler asks it for nothing.
type absentProvider struct{}

var errAbsent = errors.New("there is no cloud behind this benchmark")

func (absentProvider) Create(context.Context, *karpv1.NodeClaim) (*karpv1.NodeClaim, error) {
	return nil, errAbsent
}
func (absentProvider) Delete(context.Context, *karpv1.NodeClaim) error { return errAbsent }
func (absentProvider) Get(context.Context, string) (*karpv1.NodeClaim, error) {
	return nil, errAbsent
}
func (absentProvider) List(context.Context) ([]*karpv1.NodeClaim, error) { return nil, nil }
func (absentProvider) GetInstanceTypes(context.Context, *karpv1.NodePool) ([]*cloudprovider.InstanceType, error) {
	return nil, errAbsent
}
func (absentProvider) IsDrifted(context.Context, *karpv1.NodeClaim) (cloudprovider.DriftReason, error) {
	return "", nil
}
func (absentProvider) RepairPolicies() []cloudprovider.RepairPolicy { return nil }
func (absentProvider) Name() string                                 { return "absent" }
func (absentProvider) GetSupportedNodeClasses() []status.Object     { return nil }

// nodePools gives the set-ups compared. "one": a single pool of everything. "split": what its documentation advises, a
// pool of GPU types behind a taint beside a pool of CPU types, told apart by a label that only GPU types carry.
func nodePools(layout, gpuLabel string) ([]*karpv1.NodePool, error) {
	pool := func(name string, requirements ...karpv1.NodeSelectorRequirementWithMinValues) *karpv1.NodePool {
		p := &karpv1.NodePool{}
		p.Name, p.UID = name, types.UID(name)
		p.Spec.Disruption.ConsolidationPolicy = karpv1.ConsolidationPolicyWhenEmptyOrUnderutilized
		p.Spec.Template.Spec.NodeClassRef = &karpv1.NodeClassReference{Group: "benchmark.invalid", Kind: "None", Name: "none"}
		p.Spec.Template.Spec.Requirements = append(requirements, karpv1.NodeSelectorRequirementWithMinValues{
			Key: karpv1.CapacityTypeLabelKey, Operator: corev1.NodeSelectorOpIn,
			Values: []string{karpv1.CapacityTypeSpot, karpv1.CapacityTypeOnDemand},
		})
		return p
	}
	label := func(operator corev1.NodeSelectorOperator) karpv1.NodeSelectorRequirementWithMinValues {
		return karpv1.NodeSelectorRequirementWithMinValues{Key: gpuLabel, Operator: operator}
	}
	switch layout {
	case "one":
		return []*karpv1.NodePool{pool("default")}, nil
	case "split":
		gpu := pool("gpu", label(corev1.NodeSelectorOpExists))
		gpu.Spec.Template.Spec.Taints = []corev1.Taint{{
			Key: "nvidia.com/gpu", Value: "true", Effect: corev1.TaintEffectNoSchedule,
		}}
		return []*karpv1.NodePool{pool("cpu", label(corev1.NodeSelectorOpDoesNotExist)), gpu}, nil
	}
	return nil, fmt.Errorf("layout %q: expected one or split", layout)
}

// cpuSeconds is the CPU time of this process so far, garbage collection included.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// version gives the versions of Karpenter and Go that this program was built with.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "sigs.k8s.io/karpenter" {
				return module.Version + ", " + runtime.Version()
			}
		}
	}
	return "unknown"
}

// cheapest gives the offering that the claim would be bought as: the lowest price among those that its pods'
// requirements still admit, the first by name where prices are equal.
func cheapest(claim *provisioning.NodeClaim) (*cloudprovider.InstanceType, *cloudprovider.Offering) {
	var bestType *cloudprovider.InstanceType
	var best *cloudprovider.Offering
	for _, it := range claim.InstanceTypeOptions {
		for _, o := range it.Offerings {
			if !o.Available || !claim.Requirements.IsCompatible(o.Requirements, scheduling.AllowUndefinedWellKnownLabels) {
				continue
			}
			if best == nil || o.Price < best.Price || o.Price == best.Price && it.Name < bestType.Name {
				bestType, best = it, o
			}
		}
	}
	return bestType, best
}

func solve(p problem, layout, gpuLabel string, timeout time.Duration) (answer, error) {
	out := answer{Version: version(), Layout: layout, Nodes: []node{}}
	pools, err := nodePools(layout, gpuLabel)
	if err != nil {
		return out, err
	}
	instanceTypes, ownKeys, err := p.instanceTypes()
	if err != nil {
		return out, err
	}
	karpv1.WellKnownLabels.Insert(ownKeys...) // a provider registers its labels when it starts
	pods, err := p.pendingPods()
	if err != nil {
		return out, err
	}

	ctx := options.ToContext(injection.WithControllerName(context.Background(), "provisioner"), &options.Options{
		CPURequests:       workers * 1000,
		PreferencePolicy:  options.PreferencePolicyRespect,
		MinValuesPolicy:   options.MinValuesPolicyStrict,
		IgnoreDRARequests: true,
		FeatureGates:      options.FeatureGates{ReservedCapacity: true},
	})
	typesOf := map[string][]*cloudprovider.InstanceType{}
	for _, pool := range pools {
		typesOf[pool.Name] = instanceTypes
	}
	kube, now := fake.NewClientBuilder().Build(), clock.RealClock{}
	cluster := state.NewCluster(now, kube, absentProvider{})
	settings := []provisioning.Options{
		provisioning.DisableReservedCapacityFallback,
		provisioning.NumConcurrentReconciles(workers),
		provisioning.MinValuesPolicy(options.MinValuesPolicyStrict),
	}
	topology, err := provisioning.NewTopology(ctx, kube, cluster, nil, pools, typesOf, pods, settings...)
	if err != nil {
		return out, err
	}
	recorder := events.NewRecorder(&record.FakeRecorder{})
	scheduler := provisioning.NewScheduler(
		ctx, kube, pools, cluster, nil, topology, typesOf, nil, recorder, now, nil, nil, settings...)

	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cpu, start := cpuSeconds(), time.Now()
	results, err := scheduler.Solve(limited, pods)
	out.WallSeconds, out.CPUSeconds = time.Since(start).Seconds(), cpuSeconds()-cpu
	if out.TimedOut = errors.Is(err, context.DeadlineExceeded); err != nil && !out.TimedOut {
		return out, err
	}
	results = results.TruncateInstanceTypes(ctx, provisioning.MaxInstanceTypes)

	for _, claim := range results.NewNodeClaims {
		it, o := cheapest(claim)
		if o == nil {
			return out, fmt.Errorf("a claim of %d pods has no offering left", len(claim.Pods))
		}
		bought := node{InstanceType: it.Name, Zone: o.Zone(), CapacityType: o.CapacityType()}
		for _, pod := range claim.Pods {
			bought.Pods = append(bought.Pods, pod.Name)
		}
		out.Cost += o.Price
		out.Nodes = append(out.Nodes, bought)
	}
	return out, nil
}

func main() {
	file := flag.String("problem", "", "problem file")
	layout := flag.String("layout", "one", "one: a single NodePool; split: a tainted GPU pool beside a CPU pool")
	gpuLabel := flag.String("gpu-label", "karpenter.k8s.aws/instance-gpu-name", "label that only GPU types carry, for -layout split")
	timeout := flag.Duration("timeout", time.Minute, "limit on Solve; the default is what Karpenter's provisioner sets")
	onlyVersion := flag.Bool("version", false, "print the versions of Karpenter and Go, and exit")
	flag.Parse()
	if *onlyVersion {
		fmt.Println(version())
		return
	}
	log.SetLogger(logr.Discard())
	p, err := readProblem(*file)
	if err != nil {
		fail(err)
	}
	out, err := solve(p, *layout, *gpuLabel, *timeout)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "karpenter benchmark:", err)
	os.Exit(1)
}
