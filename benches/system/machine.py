"""What /proc says: the machine, and the CPU time and memory of a process with its children."""

import os
import shutil

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
GIB = 1 << 30


def description():
    """Cores and the processor's name, as a reader of a table wants to know them."""
    name = "unknown processor"
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{os.cpu_count()} cores, {name}"


def free_bytes(directory):
    """What an unprivileged process may still write there."""
    return shutil.disk_usage(directory).free


def family(pid):
    """A process and all its descendants."""
    members = [pid]
    for member in members:
        try:
            for task in os.listdir(f"/proc/{member}/task"):
                with open(f"/proc/{member}/task/{task}/children") as children:
                    members.extend(int(child) for child in children.read().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return members


def cpu_seconds(pid):
    """User and system time of a process, of its living descendants, and of those that ended and were waited for."""
    ticks = 0
    for member in family(pid):
        try:
            with open(f"/proc/{member}/stat") as stat:
                # The name of the program may hold blanks and brackets; what follows its last bracket does not.
                fields = stat.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS_PER_SECOND


def resident_mib(pid):
    """Memory that the family has now."""
    return _status_mib(pid, "VmRSS")


def peak_mib(pid):
    """The most memory that each of the family had since `reset_peak`, summed."""
    return _status_mib(pid, "VmHWM")


def reset_peak(pid):
    """Lets the peak begin anew."""
    for member in family(pid):
        with open(f"/proc/{member}/clear_refs", "w") as clear:
            clear.write("5")


def _status_mib(pid, field):
    kib = 0
    for member in family(pid):
        try:
            with open(f"/proc/{member}/status") as lines:
                kib += sum(int(line.split()[1]) for line in lines if line.startswith(field + ":"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return kib / 1024
