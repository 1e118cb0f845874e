//! Memory calls of a guest, kept inside a region of real memory.
//!
//! The host reserves a region and keeps its books with [`AddrSpace`]. What the
//! guest asks for is decided there, and the sinks make it real. If a real call is
//! refused, the books stop where it stopped. Afterwards the host restores the state
//! in which the guest was loaded, and compares its regions with the kernel's,
//! `/proc/self/maps`: they must agree.
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
    use std::fmt;
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
        host: Host,
    }

    /// Why a call of the guest was refused.
    #[derive(Debug)]
    enum Refused {
        /// By the books: nothing has changed.
        Books(SpaceError),
        /// By the host: books and host agree on what is done and what is not.
        Host(io::Error),
    }

    impl From<SpaceError> for Refused {
        fn from(error: SpaceError) -> Self {
            Self::Books(error)
        }
    }

    impl From<io::Error> for Refused {
        fn from(error: io::Error) -> Self {
            Self::Host(error)
        }
    }

    impl fmt::Display for Refused {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Books(error) => write!(f, "the books: {error}"),
                Self::Host(error) => write!(f, "the host: {error}"),
            }
        }
    }

    impl Error for Refused {}

    type Answer<T> = std::result::Result<T, Refused>;

    fn pointer(addr: u64) -> *mut c_void {
        ptr::with_exposed_provenance_mut(addr as usize)
    }

    /// Real memory. Any of its calls can be refused; to show that, one of them is.
    struct Host {
        /// How many calls are answered before one is refused.
        refuses_after: Option<u32>,
    }

    impl Host {
        fn answers(&mut self) -> io::Result<()> {
            let left = self.refuses_after.take();
            if left == Some(0) {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            self.refuses_after = left.map(|left| left - 1);
            Ok(())
        }

        fn map(&mut self, addr: u64, len: u64, prot: Prot, more_flags: i32) -> io::Result<()> {
            self.answers()?;
            let (flags, prot) = (ANONYMOUS | libc::MAP_FIXED | more_flags, prot.0 as i32);
            let (addr, len) = (pointer(addr), len as usize);
            // SAFETY: the space lies in memory that was reserved for it, and no
            // reference points there.
            if unsafe { libc::mmap(addr, len, prot, flags, -1, 0) } == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        }

        /// Of the region that is unmapped, only the reservation stays.
        fn unmap(&mut self, region: &Region) -> io::Result<()> {
            self.map(region.addr, region.len, Prot::NONE, libc::MAP_NORESERVE)
        }

        fn protect(&mut self, old: &Region, prot: Prot) -> io::Result<()> {
            if old.mapping.prot == prot {
                return Ok(());
            }
            self.answers()?;
            let (addr, len) = (pointer(old.addr), old.len as usize);
            // SAFETY: as in `map`.
            if unsafe { libc::mprotect(addr, len, prot.0 as i32) } != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
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
                host: Host {
                    refuses_after: None,
                },
            })
        }

        /// The guest's mmap: anywhere, or exactly at an address.
        ///
        /// The books first, in a copy that counts only if the host agrees: one call of
        /// the host replaces whatever is there.
        fn mmap(&mut self, addr: Option<u64>, len: u64, prot: Prot) -> Answer<u64> {
            let mapping = Mapping::anonymous(prot, ANONYMOUS as u32);
            let mut next = self.space.try_clone()?;
            let addr = match addr {
                Some(addr) => next.map_at(addr, len, mapping, |_| ()).map(|()| addr)?,
                None => next.map_any(None, len, mapping)?,
            };
            self.host.map(addr, len, prot, 0)?;
            self.space = next;
            Ok(addr)
        }

        /// The host, region by region, and the books as far as it goes.
        fn munmap(&mut self, addr: u64, len: u64) -> Answer<()> {
            let Self { space, host, .. } = self;
            space.unmap(addr, len, |region| host.unmap(&region))??;
            Ok(())
        }

        fn mprotect(&mut self, addr: u64, len: u64, prot: Prot) -> Answer<()> {
            let Self { space, host, .. } = self;
            let real = |old: Region| host.protect(&old, prot);
            space.protect(addr, len, prot, HolePolicy::Skip, real)??;
            Ok(())
        }

        /// The state in which the guest was loaded.
        fn restore(&mut self) -> Answer<()> {
            let Self { space, host, .. } = self;
            space.unmap_non_original(|region| host.unmap(&region))?;
            Ok(())
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
        let mut outside = |addr: u64, len: u64, what: &str| {
            let answer = sandbox.mmap(Some(addr), len, RW);
            let refused = matches!(answer, Err(Refused::Books(SpaceError::OutsideSpace)));
            expect(refused, what);
        };
        outside(base + SIZE + PAGE, PAGE, "nothing above the sandbox");
        outside(base - PAGE, PAGE, "nothing below it");
        outside(text, 2 * SIZE, "nothing that reaches out");
        let wrapping = sandbox.munmap(text, text.wrapping_neg());
        expect(wrapping.is_err(), "nothing that wraps");
        let allows = |prot: Prot| move |mapping: &Mapping| mapping.prot.contains(prot);
        let buffer = sandbox.space.check_access(data, 4 * PAGE, allows(RW));
        expect(buffer.is_ok(), "the guest's buffer is writable");
        let guard = sandbox.space.check_access(stack, PAGE, allows(Prot::READ));
        expect(guard == Err(stack), "the guard page is not readable");
        Ok(())
    }

    /// The guest unmaps all of its data and heap, and the host stops after two regions;
    /// then it refuses to map at all.
    fn refused(sandbox: &mut Sandbox, data: u64) -> Result<()> {
        println!();
        let heap = data + 4 * PAGE;
        let regions = sandbox.space.pieces(heap, 32 * PAGE).count();
        sandbox.host.refuses_after = Some(2);
        let answer = sandbox.munmap(heap, 32 * PAGE);
        expect(
            matches!(answer, Err(Refused::Host(_))),
            "the host refuses in the middle of munmap",
        );
        let left = sandbox.space.pieces(heap, 32 * PAGE).count();
        expect(left + 2 == regions, "the books have let two regions go");
        sandbox.host.refuses_after = Some(0);
        let answer = sandbox.mmap(Some(data), 16 * PAGE, RW);
        expect(
            matches!(answer, Err(Refused::Host(_))),
            "the host refuses to map",
        );
        sandbox.compare("after the host refused")
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

        // The host refuses in the middle, and the books say what it did.
        refused(&mut sandbox, data)?;

        // The next guest finds what the first one found.
        sandbox.restore()?;
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
