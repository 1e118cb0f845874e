//! Accesses to memory that may be none: what signal they bring.
#![expect(
    unsafe_code,
    reason = "accesses to memory that may not be there, and a handler that goes on behind them"
)]

use std::arch::global_asm;
use std::sync::atomic::{AtomicI32, Ordering};
use std::{io, mem, ptr};

use gaptree::linux::Access;

use super::sys::Answer;

// Each routine accesses the byte at its argument and returns 0. The handler goes on at the
// last one, which returns 1. A write leaves the byte as it was. Nothing is executed that may
// be: only an address that is refused is jumped to.
global_asm!(
    "gaptree_read: mov al, [rdi]",
    "xor eax, eax",
    "ret",
    "gaptree_write: lock or byte ptr [rdi], 0",
    "xor eax, eax",
    "ret",
    "gaptree_jump: jmp rdi",
    "gaptree_failed: mov eax, 1",
    "ret",
);

unsafe extern "C" {
    fn gaptree_read(addr: u64) -> i32;
    fn gaptree_write(addr: u64) -> i32;
    fn gaptree_jump(addr: u64) -> i32;
    fn gaptree_failed() -> i32;
}

/// The signal and its code.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);

/// The answer for a signal; no error of a call.
pub(super) const fn refused(signal: i32, code: i32) -> i32 {
    1000 * signal + code
}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel gives both, and nobody else has them.
    unsafe {
        SIGNAL.store(signal, Ordering::Relaxed);
        CODE.store((*info).si_code, Ordering::Relaxed);
        let context = context.cast::<libc::ucontext_t>();
        let failed = gaptree_failed as *const () as usize;
        (*context).uc_mcontext.gregs[libc::REG_RIP as usize] = failed as i64;
    }
}

/// Takes the signals of accesses that fail. From here on the process survives them, so
/// only [`touch`] may make such.
pub(super) fn prepare() -> io::Result<()> {
    // SAFETY: all zero bytes are a valid action, and the handler has the form that
    // `SA_SIGINFO` asks for.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            if libc::sigaction(signal, &raw const action, ptr::null_mut()) == -1 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

/// Accesses a byte of memory that nobody uses.
pub(super) fn touch(addr: u64, access: Access) -> Answer {
    // SAFETY: an access that fails is caught; one that does not changes nothing, since
    // a jump is only made to what may not be executed.
    let failed = unsafe {
        match access {
            Access::Read => gaptree_read(addr),
            Access::Write => gaptree_write(addr),
            Access::Execute => gaptree_jump(addr),
        }
    };
    match failed {
        0 => Ok(0),
        _ => Err(refused(
            SIGNAL.load(Ordering::Relaxed),
            CODE.load(Ordering::Relaxed),
        )),
    }
}
