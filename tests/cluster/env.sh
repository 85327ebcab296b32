# SPDX-License-Identifier: BSD-3-Clause
# Source this (bash) to use mpirun and mpiexec between the hosts of the test cluster.
cluster_dir=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
cluster_net=${CLUSTER_NET:-10.77.0}.0/24
# Open MPI: the agent, plain TCP through the bridge, no binding (the hosts share the machine's
# cores), and every remote daemon started from mpirun's host.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_plm_rsh_agent=$cluster_dir/rsh OMPI_MCA_plm_rsh_no_tree_spawn=1
export OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp
export OMPI_MCA_btl_tcp_if_include=$cluster_net OMPI_MCA_oob_tcp_if_include=$cluster_net
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_rmaps_base_oversubscribe=1
# MPICH and its hydra
export HYDRA_LAUNCHER=ssh HYDRA_LAUNCHER_EXEC=$cluster_dir/rsh HYDRA_IFACE=eth0
export UCX_TLS=tcp,self UCX_NET_DEVICES=eth0
