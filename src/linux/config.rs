//! [`Config`]: what a system and its architecture decide.

/// Where a search for free memory begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Layout {
    /// At [`Config::base`], downwards: the default.
    TopDown,
    /// At [`Config::legacy_base`], upwards: `ADDR_COMPAT_LAYOUT`, an unlimited stack.
    BottomUp,
}

/// The limits of a process, in bytes: `setrlimit`, soft limits.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// `RLIMIT_AS`: all that is mapped.
    pub address_space: u64,
    /// `RLIMIT_DATA`: private writable memory; and of what `brk` asks for.
    pub data: u64,
    /// `RLIMIT_STACK`: how long memory that grows downwards may become.
    pub stack: u64,
    /// `RLIMIT_MEMLOCK`: what may be locked.
    pub locked: u64,
    /// Whether the last limit does not concern it (`CAP_IPC_LOCK`).
    pub locks_anything: bool,
}

impl Limits {
    /// Linux's defaults: a stack of 8 MiB, 8 MiB that may be locked, no other limits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            address_space: u64::MAX,
            data: u64::MAX,
            stack: 8 << 20,
            locked: 8 << 20,
            locks_anything: false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// What a system and its architecture decide; addresses and lengths in bytes. Linux's
/// defaults with [`x86_64`](Self::x86_64), without randomisation.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Size of a page.
    pub page_size: u64,
    /// One past the last address that a program can map, `TASK_SIZE`; a multiple of the
    /// page size.
    pub end: u64,
    /// `vm.mmap_min_addr`: nothing is placed below it.
    pub min_addr: u64,
    /// Whether fixed addresses below [`min_addr`](Self::min_addr) are allowed
    /// (`CAP_SYS_RAWIO`).
    pub maps_low: bool,
    /// In which direction free memory is searched for.
    pub layout: Layout,
    /// `mmap_base`: where a search downwards begins.
    pub base: u64,
    /// Where a search upwards begins, also one that follows when nothing is free below
    /// [`base`](Self::base).
    pub legacy_base: u64,
    /// `stack_guard_gap`: how much is kept free below memory that grows downwards.
    pub stack_gap: u64,
    /// Where the heap of `brk` begins; of any alignment.
    pub brk: u64,
    /// `vm.max_map_count`: how many rows there may be, about.
    pub max_map_count: usize,
    /// What no single call can commit to more of: memory and swap, with
    /// `vm.overcommit_memory` 0. With 1 there is no such limit, `u64::MAX`.
    pub memory: u64,
    /// The limits of the process.
    pub limits: Limits,
    /// The size of a huge page that long mappings are aligned for; `None` for a kernel
    /// without transparent huge pages.
    pub huge_page: Option<u64>,
}

impl Config {
    /// Linux 6.x on x86-64 with pages of 4 KiB and four levels of page tables: the stack
    /// at the top may be 8 MiB, addresses are not randomised.
    #[must_use]
    pub const fn x86_64() -> Self {
        const END: u64 = (1 << 47) - 4096;
        Self {
            page_size: 4096,
            end: END,
            min_addr: 0x1_0000,
            maps_low: false,
            layout: Layout::TopDown,
            base: 0x7fff_f7ff_f000,
            legacy_base: 0x2aaa_aaaa_b000,
            stack_gap: 256 * 4096,
            brk: 0x5555_5555_5000,
            max_map_count: 65_530,
            memory: u64::MAX,
            limits: Limits::new(),
            huge_page: Some(2 << 20),
        }
    }
}
