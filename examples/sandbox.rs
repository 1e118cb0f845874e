//! Memory calls of a guest, kept inside a region of real memory.
//!
//! The host reserves a region and keeps its books with [`AddrSpace`]. What the
//! guest asks for is decided there, and the sinks make it real. Afterwards the
//! host restores the state in which the guest was loaded, and compares its
//! regions with the kernel's, `/proc/self/maps`: they must agree.
//!
//! `cargo run --example sandbox`; `sandbox.c` does the same from C.

#![cfg_attr(
    target_os = "linux",
    expect(
        unsafe_code,
        reason = "real memory is mapped, inside the reserved region"
    )
)]

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: this example compares with Linux's /proc/self/maps");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::ffi::c_void;
    use std::fs;
    use std::io;
    use std::process;
    use std::ptr;

    use gaptree::{AddrSpace, HolePolicy, Mapping, Prot, Region, SpaceError};

    const PAGE: u64 = 4096;
    const SIZE: u64 = 256 * PAGE;
    const ANONYMOUS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    const RW: Prot = Prot(Prot::READ.0 | Prot::WRITE.0);

    type Result<T> = std::result::Result<T, Box<dyn Error>>;

    struct Sandbox {
        base: u64,
        space: AddrSpace,
    }

    fn pointer(addr: u64) -> *mut c_void {
        ptr::with_exposed_provenance_mut(addr as usize)
    }

    /// Real memory, where and as the books say.
    ///
    /// A sink cannot return an error, and books that are not true cannot be
    /// kept: whatever fails ends the program.
    fn make_real(region: &Region, prot: Prot, more_flags: i32) {
        let (flags, prot) = (ANONYMOUS | libc::MAP_FIXED | more_flags, prot.0 as i32);
        let (addr, len) = (pointer(region.addr), region.len as usize);
        // SAFETY: the space lies in memory that was reserved for it, and no
        // reference points there.
        if unsafe { libc::mmap(addr, len, prot, flags, -1, 0) } == libc::MAP_FAILED {
            panic!("mmap: {}", io::Error::last_os_error());
        }
    }

    /// Of the region that is unmapped, only the reservation stays.
    fn unmap_real(region: Region) {
        make_real(&region, Prot::NONE, libc::MAP_NORESERVE);
    }

    fn protect_real(old: &Region, prot: Prot) {
        if old.mapping.prot == prot {
            return;
        }
        let (addr, len) = (pointer(old.addr), old.len as usize);
        // SAFETY: as in `make_real`.
        if unsafe { libc::mprotect(addr, len, prot.0 as i32) } != 0 {
            panic!("mprotect: {}", io::Error::last_os_error());
        }
    }

    /// Writes to all of a range that is mapped for writing.
    fn fill(addr: u64, len: u64, byte: u8) {
        // SAFETY: the callers have mapped it so.
        unsafe { ptr::write_bytes(pointer(addr).cast::<u8>(), byte, len as usize) }
    }

    impl Sandbox {
        fn new() -> Result<Self> {
            let flags = ANONYMOUS | libc::MAP_NORESERVE;
            // SAFETY: new memory, wherever it is free.
            let base = unsafe {
                libc::mmap(
                    ptr::null_mut(),
                    SIZE as usize,
                    libc::PROT_NONE,
                    flags,
                    -1,
                    0,
                )
            };
            if base == libc::MAP_FAILED {
                return Err(io::Error::last_os_error().into());
            }
            let base = base.expose_provenance() as u64;
            Ok(Self {
                base,
                space: AddrSpace::new(base, SIZE, PAGE)?,
            })
        }

        /// The guest's mmap: anywhere, or exactly at an address.
        fn mmap(
            &mut self,
            addr: Option<u64>,
            len: u64,
            prot: Prot,
        ) -> std::result::Result<u64, SpaceError> {
            let mapping = Mapping::anonymous(prot, ANONYMOUS as u32);
            let addr = match addr {
                Some(addr) => self
                    .space
                    .map_at(addr, len, mapping, |_| ())
                    .map(|()| addr)?,
                None => self.space.map_any(None, len, mapping)?,
            };
            let region = Region { addr, len, mapping };
            make_real(&region, prot, 0); // replaces what is there
            Ok(addr)
        }

        fn munmap(&mut self, addr: u64, len: u64) -> std::result::Result<(), SpaceError> {
            self.space.unmap(addr, len, unmap_real)
        }

        fn mprotect(
            &mut self,
            addr: u64,
            len: u64,
            prot: Prot,
        ) -> std::result::Result<(), SpaceError> {
            let real = |old: Region| protect_real(&old, prot);
            self.space.protect(addr, len, prot, HolePolicy::Skip, real)
        }

        /// The library's regions, as [`append`] has them.
        fn ours(&self) -> Vec<Line> {
            let mut lines = Vec::new();
            for region in self.space.regions() {
                append(
                    &mut lines,
                    region.addr,
                    region.addr + region.len,
                    region.mapping.prot,
                );
            }
            lines
        }

        /// The kernel's regions inside the sandbox.
        fn kernels(&self) -> Result<Vec<Line>> {
            let mut lines = Vec::new();
            for line in fs::read_to_string("/proc/self/maps")?.lines() {
                let mut words = line.split([' ', '-']);
                let mut next = || words.next().ok_or("a short line");
                let start = u64::from_str_radix(next()?, 16)?;
                let end = u64::from_str_radix(next()?, 16)?;
                let perms = line.split(' ').nth(1).ok_or("a short line")?;
                let bits = [('r', Prot::READ), ('w', Prot::WRITE), ('x', Prot::EXEC)];
                let set = bits.iter().filter(|(letter, _)| perms.contains(*letter));
                let prot = set.fold(Prot::NONE, |prot, (_, bit)| prot | *bit);
                // A neighbour can be in one line with our first or last page.
                let (start, end) = (start.max(self.base), end.min(self.base + SIZE));
                if start < end {
                    append(&mut lines, start, end, prot);
                }
            }
            Ok(lines)
        }

        /// A line, empty after the end of a list.
        fn cell(&self, line: Option<&Line>) -> String {
            let Some(line) = line else {
                return String::new();
            };
            let bit = |bit, letter| if line.prot.contains(bit) { letter } else { '-' };
            format!(
                "{:06x}-{:06x} {}{}{}",
                line.start - self.base,
                line.end - self.base,
                bit(Prot::READ, 'r'),
                bit(Prot::WRITE, 'w'),
                bit(Prot::EXEC, 'x')
            )
        }

        /// Both lists side by side.
        fn compare(&self, when: &str) -> Result<()> {
            let (ours, kernels) = (self.ours(), self.kernels()?);
            println!("\n{when}\n  {:<20} kernel", "library");
            for i in 0..ours.len().max(kernels.len()) {
                let (left, right) = (self.cell(ours.get(i)), self.cell(kernels.get(i)));
                println!("  {left:<20} {right}");
            }
            expect(ours == kernels, "they agree");
            Ok(())
        }
    }

    fn expect(ok: bool, what: &str) {
        println!("{what:<52} {}", if ok { "yes" } else { "NO" });
        if !ok {
            process::exit(1);
        }
    }

    /// A region that can be accessed.
    #[derive(PartialEq)]
    struct Line {
        start: u64,
        end: u64,
        prot: Prot,
    }

    /// Adds a region, to an equal one that it touches if there is one.
    fn append(lines: &mut Vec<Line>, start: u64, end: u64, prot: Prot) {
        if prot == Prot::NONE {
            return; // the kernel lists the reservation so too
        }
        match lines.last_mut() {
            Some(last) if last.end == start && last.prot == prot => last.end = end,
            _ => lines.push(Line { start, end, prot }),
        }
    }

    /// The guest runs.
    fn guest(sandbox: &mut Sandbox, text: u64, data: u64, stack: u64) -> Result<()> {
        println!();
        let base = sandbox.base;
        let heap = sandbox.mmap(None, 32 * PAGE, RW)?;
        expect(heap == data + 4 * PAGE, "the heap follows the data");
        fill(heap, 32 * PAGE, 2);
        let hole = sandbox.munmap(heap + 8 * PAGE, 8 * PAGE);
        expect(hole.is_ok(), "a hole in the heap");
        let read_only = sandbox.mprotect(heap, 32 * PAGE, Prot::READ);
        expect(read_only.is_ok(), "read-only around it");
        let replaced = sandbox.mmap(Some(heap + 4 * PAGE), 2 * PAGE, RW);
        expect(replaced.is_ok(), "replaced in place");
        let outside = Err(SpaceError::OutsideSpace);
        let above = sandbox.mmap(Some(base + SIZE + PAGE), PAGE, RW);
        expect(above == outside, "nothing above the sandbox");
        let below = sandbox.mmap(Some(base - PAGE), PAGE, RW);
        expect(below == outside, "nothing below it");
        let reaching = sandbox.mmap(Some(text), 2 * SIZE, RW);
        expect(reaching == outside, "nothing that reaches out");
        let wrapping = sandbox.munmap(text, text.wrapping_neg());
        expect(wrapping.is_err(), "nothing that wraps");
        let allows = |prot: Prot| move |mapping: &Mapping| mapping.prot.contains(prot);
        let buffer = sandbox.space.check_access(data, 4 * PAGE, allows(RW));
        expect(buffer.is_ok(), "the guest's buffer is writable");
        let guard = sandbox.space.check_access(stack, PAGE, allows(Prot::READ));
        expect(guard == Err(stack), "the guard page is not readable");
        Ok(())
    }

    pub(crate) fn main() -> Result<()> {
        let mut sandbox = Sandbox::new()?;
        let base = sandbox.base;

        // What every guest starts with.
        let text = sandbox.mmap(None, 8 * PAGE, Prot::READ)?;
        let data = sandbox.mmap(None, 4 * PAGE, RW)?;
        let stack = sandbox.mmap(Some(base + SIZE - 16 * PAGE), 16 * PAGE, RW)?;
        sandbox.mprotect(stack, PAGE, Prot::NONE)?;
        fill(data, 4 * PAGE, 1);
        sandbox.space.mark_original();
        sandbox.compare("loaded")?;

        guest(&mut sandbox, text, data, stack)?;
        sandbox.compare("after the guest ran")?;

        // The next guest finds what the first one found.
        sandbox.space.unmap_non_original(unmap_real);
        sandbox.compare("restored")?;
        println!(
            "\n{} regions, {} of {} KiB mapped",
            sandbox.space.region_count(),
            sandbox.space.mapped_bytes() / 1024,
            sandbox.space.size() / 1024
        );
        // SAFETY: nothing uses the region any more.
        unsafe { libc::munmap(pointer(base), SIZE as usize) };
        Ok(())
    }
}
