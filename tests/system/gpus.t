#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# GPUs that are not there: found in topologies with PCI devices, near NUMA nodes, chosen with the cores near them.
. "${0%/*}/../system/lib.sh"
need python3 python3
export LC_ALL=C

# A machine of 4 NUMA nodes of 4 cores: make_xml FILE [NUMA:ADDRESS:CLASS:VENDOR ...]
make_xml() {
    python3 - "$@" <<'PY'
import sys
out = ['<?xml version="1.0" encoding="UTF-8"?>', '<!DOCTYPE topology SYSTEM "hwloc2.dtd">', '<topology version="2.0">']
ids = iter(range(1, 1000))
def sets(cpus, nodes):
    return "".join(f' {p}cpuset="0x{cpus:08x}"' for p in ("", "complete_")) + \
        "".join(f' {p}nodeset="0x{nodes:08x}"' for p in ("", "complete_"))
out.append(f'<object type="Machine" os_index="0"{sets(0xffff, 0xf)} allowed_cpuset="0x0000ffff" '
           f'allowed_nodeset="0x0000000f" gp_index="{next(ids)}">')
for numa in range(4):
    cpus = 0xf << 4 * numa
    out.append(f'<object type="Package" os_index="{numa}"{sets(cpus, 1 << numa)} gp_index="{next(ids)}">')
    out.append(f'<object type="NUMANode" os_index="{numa}"{sets(cpus, 1 << numa)} gp_index="{next(ids)}" '
               f'local_memory="{4 << 30}"/>')
    for core in range(4 * numa, 4 * numa + 4):
        s = sets(1 << core, 1 << numa)
        out.append(f'<object type="Core" os_index="{core}"{s} gp_index="{next(ids)}">'
                   f'<object type="PU" os_index="{core}"{s} gp_index="{next(ids)}"/></object>')
    mine = [w.split(":") for w in sys.argv[2:] if w.startswith(f"{numa}:")]
    if mine:
        out.append(f'<object type="Bridge" gp_index="{next(ids)}" bridge_type="0-1" depth="0" '
                   f'bridge_pci="0000:[{mine[0][1]}-{mine[-1][1]}]">')
        for _, bus, cls, vendor in mine:
            out.append(f'<object type="PCIDev" gp_index="{next(ids)}" pci_busid="0000:{bus}:00.0" '
                       f'pci_type="{cls} [{vendor}:20b0] [{vendor}:1450] a1" pci_link_speed="0.000000"/>')
        out.append("</object>")
    out.append("</object>")
out += ["</object>", "</topology>"]
open(sys.argv[1], "w").write("\n".join(out))
PY
}

# Numbered by PCI address, which is not the order of NUMA nodes; a network adapter and a management console are no GPUs.
make_xml "$tmp/nvidia.xml" 1:01:0302:10de 1:02:0302:10de 3:03:0302:10de 0:04:0302:10de 0:05:0200:8086 2:06:0300:1a03

cores() { hbatch job info "$1" R | python3 -c 'import json, sys
c = json.load(sys.stdin)["execution"]["R_lite"][0]["children"]; print(c["core"], c.get("gpu", "-"))'; }
on() {
    local id
    id=$(hbatch submit --env=-* "$@" sleep 300) && timeout 20 hbatch job wait-event -q "$id" start && cores "$id"
}
over() {
    local ids
    mapfile -t ids < <(hbatch jobs -no '{id}')
    hbatch cancel "${ids[@]}"
    for id in "${ids[@]}"; do timeout 30 hbatch job wait-event -q "$id" clean; done
}

instance_start nvidia --test-topology="$tmp/nvidia.xml"
is "$(hbatch resource list -n -s all -o '{ncores} {ngpus} {memory}')" "16 4 16G" "four GPUs are found"
is "$(on -n1)" "8 -" "a job without GPUs goes where there are none"
is "$(on -n4 -c1)" "0-3 -" "... or where there are fewest"
is "$(on -n1 -g1)" "12 2" "one with a GPU near it"
is "$(on -n1 -c2 -g2)" "4-5 0-1" "two near each other"
is "$(on -n2)" "6-7 -" "others go where GPUs are taken"
is "$(on -n1 -c2 -g1)" "9-10 3" "a GPU whose cores are taken comes with others"
over
is "$(on -n3 -g1 -c2)" "0-1,4-7 0-1,3" "each task's GPU is near its cores"
over

show='echo $HBATCH_TASK_RANK $CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER'
run() { hbatch run "$@" sh -c "$show" </dev/null | sort; }
is "$(run -n1)" "0 -1" "no GPU: none is seen"
is "$(run -n2 -g2)" $'0 0,1,2,3 PCI_BUS_ID\n1 0,1,2,3 PCI_BUS_ID' "all tasks see those of the job"
is "$(run -n4 -c4 -g1 -o gpu-affinity=per-task)" \
    $'0 3 PCI_BUS_ID\n1 0 PCI_BUS_ID\n2 1 PCI_BUS_ID\n3 2 PCI_BUS_ID' "per task: near its cores"
is "$(run -n2 -g2 -o 'gpu-affinity=map:1;2-3')" $'0 1 PCI_BUS_ID\n1 2,3 PCI_BUS_ID' "a map"
is "$(CUDA_VISIBLE_DEVICES=mine run -n1 -g1 -o gpu-affinity=off)" "0 mine" "off: as it was"
is "$(run -N1 --gpus-per-node=3)" "0 0,1,2,3 PCI_BUS_ID" "-N1: a whole node, with all it has"
is "$(run -N1 --cores=4 --gpus-per-node=2)" "0 0,1 PCI_BUS_ID" "--gpus-per-node"
is "$(hbatch alloc -n1 -c4 -g1 hbatch run -g1 sh -c "$show")" "0 3 PCI_BUS_ID" "a sub-instance shows its own"
is "$(hbatch alloc -n1 -c8 -g3 sh -c 'hbatch submit --quiet --wait -n1 true; hbatch run -n2 -g1 -c3 -o gpu-affinity=per-task sh -c "'"$show"'"' |
    sort | wc -l)" 2 "... and places its own jobs"
capture hbatch run -g5 true
like "$err" "this instance has 4 GPUs; 5 were asked for" "more than there are"
for bad in -1 x 1.5 99999999999; do
    capture hbatch run -g "$bad" true
    is "$rc" 1 "-g $bad: exit code"
    like "$err" "gpus-per-task=$bad: must be" "... and what is wrong"
done
capture hbatch run -n1 -g1 --gpus-per-node=1 true
like "$err" "cannot be used together" "contradictions"
capture hbatch run --gpus-per-node=1 true
like "$err" "gpus-per-node needs nodes" "... "
capture hbatch run -n 1 -x true
like "$err" "exclusive can only be set together with nodes" "... "
capture hbatch run --cores=4 --tasks-per-core=2 --tasks-per-node=2 -N1 true
like "$err" "tasks-per-node and tasks-per-core cannot be used together" "... "
is "$(hbatch run --cores=2 --tasks-per-core=2 echo x | wc -l)" 4 "--tasks-per-core"
instance_stop nvidia
unset HBATCH_URI

# Other vendors: what each of their libraries reads.
make_xml "$tmp/amd.xml" 0:c1:0380:1002 2:d1:1200:1002
instance_start amd --test-topology="$tmp/amd.xml"
is "$(HIP_VISIBLE_DEVICES=7 hbatch run -g1 sh -c 'echo $ROCR_VISIBLE_DEVICES $HIP_VISIBLE_DEVICES')" "0 0" "AMD"
is "$(hbatch run -n2 -c4 -g1 -o gpu-affinity=per-task sh -c 'echo $ROCR_VISIBLE_DEVICES $HIP_VISIBLE_DEVICES' | sort)" \
    $'0 0\n1 0' "... per task: HIP counts anew"
instance_stop amd
make_xml "$tmp/intel.xml" 0:00:0300:8086 1:18:0380:8086 3:29:0380:8086
instance_start intel --test-topology="$tmp/intel.xml"
is "$(hbatch run -n2 -g1 -c4 -o gpu-affinity=per-task sh -c 'echo $ZE_AFFINITY_MASK $ZE_ENABLE_PCI_ID_DEVICE_ORDER' | sort)" \
    $'0 1\n1 1' "Intel, without what is in the processor"
instance_stop intel
unset HBATCH_URI

# Virtual ones are near NUMA nodes in turn.
instance_start virtual --test-topology="numa:2 core:4 pu:1" --test-gpus=2
is "$(on -n1 -g1)" "0 0" "a synthetic topology"
is "$(on -n3)" "1-3 -" "near a GPU that is taken"
is "$(on -n1 -g1)" "4 1" "the other one's cores"
instance_stop virtual
done_testing
