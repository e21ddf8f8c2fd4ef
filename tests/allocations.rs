//! All buffers are allocated by the first evaluation; later ones allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use impasto::network::{Compute, Convolution};
use impasto::simd::Isa;
use impasto::stylize::Size;
use impasto::{Picture, Stylize, Weights};
use ndarray::Array3;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The system allocator, counting allocations.
struct Counting;

// SAFETY: every call is forwarded unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: by the caller's guarantee.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: by the caller's guarantee.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: by the caller's guarantee.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: by the caller's guarantee.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// On one thread, whose scratch buffers have reached their final size after one evaluation. With several threads, each
/// grows its scratch when it first gets the largest task, and starting the helpers allocates some words per evaluation.
#[test]
fn no_evaluation_after_the_first_allocates() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for isa in Isa::available() {
        for convolution in [Convolution::Im2col, Convolution::Winograd] {
            let allocations =
                pool.install(|| allocations_of_evaluations(Compute { convolution, ..isa.into() }));
            assert!(allocations[0] > 0, "no allocation was counted");
            assert_eq!(allocations[1..], [0, 0], "{isa:?}, {convolution:?}");
        }
    }
}

fn allocations_of_evaluations(compute: Compute) -> [usize; 3] {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    let weights = Weights::open(path).unwrap();
    let picture = |period: usize| {
        Array3::from_shape_fn((3, 70, 53), |(c, y, x)| ((c * 5 + y * 3 + x) % period) as f32 / period as f32)
    };
    let (content, style) = (picture(23), picture(17));
    let job = Stylize::new(&weights)
        .compute(compute)
        .content(Picture::from_planes(content.clone()).unwrap())
        .style(Picture::from_planes(style.clone()).unwrap())
        .size(Size::Own);
    let mut objective = job.objective().unwrap();
    let mut gradient = Array3::zeros(content.dim());
    [0; 3].map(|_| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        objective.evaluate(style.view(), gradient.view_mut()).unwrap();
        ALLOCATIONS.load(Ordering::Relaxed) - before
    })
}
