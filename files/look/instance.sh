# Which EC2 instance a machine is, as far as it tells that without a process and without the network (the metadata service
# may be switched off, a hop too far, or nobody's). POSIX sh; goes before the look, and before all that changes a host.
# Where EC2's newer machines (Nitro) show their instance's id, and where cloud-init keeps it for this boot.
ASSET_TAG=/sys/devices/virtual/dmi/id/board_asset_tag
CLOUD_INIT=/run/cloud-init/.instance-id
# In a container, the machine is not the host. systemd says so here.
IN_CONTAINER=/run/systemd/container

# Sets $instance, to nothing where it is not known.
find_instance() {
    instance=
    [ ! -e "$IN_CONTAINER" ] || return 0
    for file in "$ASSET_TAG" "$CLOUD_INIT"; do
        [ ! -r "$file" ] || IFS= read -r instance <"$file" || :
        case $instance in i-[0-9a-f]*) return 0 ;; esac
        instance=
    done
}

# Ends here on a machine that is clearly another one.
only_on() { # INSTANCE
    find_instance
    if [ -n "$instance" ] && [ "$instance" != "$1" ]; then
        echo "error=this machine is $instance, and $1 was meant; nothing was touched"
        exit 12
    fi
}
