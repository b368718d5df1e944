#!/bin/sh
# Two network namespaces as two hosts on a line of so many milliseconds, which loses so many packets
# of a hundred:  hosts.sh MILLISECONDS PERCENT COMMAND...  runs COMMAND by mpirun, one rank on each.
# The line is tc's netem, or where the kernel has none, line.py.  Needs root and iproute2.
#
# As the agent that starts a rank on another host it is called with HOST COMMAND..., where ssh would
# be: it enters the host's namespace.
set -eu
first=10.213.7.1
second=10.213.7.2

if [ -n "${NET_HOSTS-}" ]; then
    shift # the only other host
    exec ip netns exec "$NET_HOSTS-2" sh -c "$*"
fi

delay=$1
loss=$2
shift 2
NET_HOSTS=netc-$$
export NET_HOSTS
hosts=$(mktemp)
carrier=

end() {
    [ -z "$carrier" ] || kill "$carrier" 2>/dev/null || :
    for i in 1 2; do
        ip netns pids "$NET_HOSTS-$i" 2>/dev/null | xargs -r kill -9 2>/dev/null || :
        ip netns delete "$NET_HOSTS-$i" 2>/dev/null || :
    done
    rm -f "$hosts"
}
trap end EXIT
trap 'exit 1' INT TERM HUP

ip netns add "$NET_HOSTS-1"
ip netns add "$NET_HOSTS-2"
if ip netns exec "$NET_HOSTS-1" tc qdisc replace dev lo root netem delay 1ms 2>/dev/null; then
    ip netns exec "$NET_HOSTS-1" tc qdisc delete dev lo root
    ip -n "$NET_HOSTS-1" link add line type veth peer name line netns "$NET_HOSTS-2"
    for i in 1 2; do
        tc -n "$NET_HOSTS-$i" qdisc add dev line root netem delay "${delay}ms" loss "$loss%"
    done
else
    mkfifo "$hosts.ready"
    python3 "$(dirname "$0")/line.py" line "$NET_HOSTS-1" "$NET_HOSTS-2" "$delay" "$loss" \
        >"$hosts.ready" &
    carrier=$!
    read -r _ <"$hosts.ready"
    rm "$hosts.ready"
fi
ip -n "$NET_HOSTS-1" address add "$first/24" dev line
ip -n "$NET_HOSTS-2" address add "$second/24" dev line
for i in 1 2; do
    ip -n "$NET_HOSTS-$i" link set lo up
    ip -n "$NET_HOSTS-$i" link set line up
done
printf '%s slots=1\n%s slots=1\n' "$first" "$second" >"$hosts"

ip netns exec "$NET_HOSTS-1" env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    mpirun --hostfile "$hosts" -n 2 --map-by node --bind-to none \
    --mca plm rsh --mca plm_rsh_agent "$(readlink -f "$0")" \
    --mca oob_tcp_if_include line --mca btl_tcp_if_include line --mca btl self,tcp "$@"
