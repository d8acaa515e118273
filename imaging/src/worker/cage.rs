//! What a worker is left with: memory that can't be executed, threads, and two pipes.
//!
//! The filter (seccomp(2)) lists what is allowed and has the kernel say of everything else that there is no such call: no
//! files, sockets, processes, signals to others, and nothing that is executable and was not there before. The C library and
//! the allocator ask for some things that they can do without; that is why other calls fail and do not kill.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;

use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule,
};

/// Addresses that a worker may have, in bytes: the allocator reserves far more than it uses.
const ADDRESS_BYTES_MAX: u64 = 8 << 30;

/// What the process gives up before: its turn before others, memory without end, core dumps, files.
///
/// # Errors
/// When the system does not let it.
pub(super) fn prepare(niceness: i32) -> io::Result<()> {
    let most = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::As, most(ADDRESS_BYTES_MAX))?;
    setrlimit(Resource::Core, most(0))?;
    setrlimit(Resource::Fsize, most(0))?;
    setpriority_process(None, niceness)?;
    Ok(())
}

/// Shuts off the calling thread, and all that it will start, but for reading and writing the two pipes.
///
/// # Errors
/// When the system has no such filter, or not for this processor.
pub(super) fn close(reads: RawFd, writes: RawFd) -> io::Result<()> {
    let program = filter(reads, writes).map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

fn filter(reads: RawFd, writes: RawFd) -> Result<BpfProgram, seccompiler::BackendError> {
    let pipe = |pipe: RawFd| u64::try_from(pipe).unwrap_or(u64::MAX);
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let not_executable = || Condition::new(2, Width::Dword, Is::MaskedEq(executable), 0);
    let mut allowed: BTreeMap<i64, Vec<Rule>> = HARMLESS.iter().map(|&call| (call, Vec::new())).collect();
    for (call, condition) in [
        (libc::SYS_read, Condition::new(0, Width::Dword, Is::Eq, pipe(reads))),
        (libc::SYS_write, Condition::new(0, Width::Dword, Is::Eq, pipe(writes))),
        (libc::SYS_mmap, not_executable()),
        (libc::SYS_mprotect, not_executable()),
        (libc::SYS_clone, Condition::new(0, Width::Dword, Is::MaskedEq(thread), thread)),
        (libc::SYS_tgkill, Condition::new(0, Width::Dword, Is::Eq, std::process::id().into())),
        (
            libc::SYS_prctl,
            Condition::new(0, Width::Dword, Is::Eq, u64::from(libc::PR_SET_NAME.unsigned_abs())),
        ),
    ] {
        allowed.insert(call, vec![Rule::new(vec![condition?])?]);
    }
    let refused = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(allowed, refused, SeccompAction::Allow, arch)?.try_into()
}

/// Calls that concern nothing outside of the process.
const HARMLESS: [i64; 23] = [
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
];
