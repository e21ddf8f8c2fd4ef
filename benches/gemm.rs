//! The packed matrix product at VGG-19's shapes for a picture of 512×512 pixels, on one core: this crate's on every
//! instruction set, and the matrixmultiply crate's. The upper limit, the FMA peak of one core, is printed first.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use impasto::gemm::sgemm::{Matrix, sgemm};
use impasto::gemm::{GROUP_DEPTH, PackedMatrix};
use impasto::simd::Isa;
use impasto::simd::peak::peak_gflops;

/// Name, rows, depth, columns: the rows of one task, C·3·3, N.
const SHAPES: [(&str, usize, usize, usize); 5] = [
    ("conv1_2", 144, 576, 64),
    ("conv2_2", 144, 1152, 128),
    ("conv3_2", 144, 2304, 256),
    ("conv4_2", 144, 4608, 512),
    ("conv1_1 backward", 144, 576, 3),
];

fn gemm(criterion: &mut Criterion) {
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    for isa in Isa::available() {
        let peak = one_core.install(|| peak_gflops(isa));
        println!("{}: FMA peak {peak:.0} GFLOP/s on one core", isa.name());
    }
    for (name, rows, depth, columns) in SHAPES {
        let mut group = criterion.benchmark_group(format!("gemm/{name} {rows}x{depth}x{columns}"));
        // Elements are floating-point operations, so criterion's Gelem/s are GFLOP/s.
        group.throughput(Throughput::Elements((2 * rows * depth * columns) as u64));
        let b = vec![0.5f32; depth * columns];
        for isa in Isa::available() {
            let mut packed = PackedMatrix::new(isa);
            packed.pack((depth, columns), GROUP_DEPTH, |_| |_| 0.5);
            let a = vec![0.5f32; rows.next_multiple_of(packed.tile_rows()) * GROUP_DEPTH];
            let mut c = vec![0.0f32; a.len() / GROUP_DEPTH * packed.columns()];
            group.bench_function(isa.name(), |bencher| {
                bencher.iter(|| {
                    for rows in packed.groups() {
                        let accumulate = rows.start > 0;
                        packed.multiply(black_box(&a), rows, 0..packed.columns(), &mut c, accumulate);
                    }
                });
            });
        }
        let a = vec![0.5f32; rows * depth];
        let mut c = vec![0.0f32; rows * columns];
        group.bench_function("matrixmultiply", |bencher| {
            bencher.iter(|| {
                sgemm(
                    Matrix { data: black_box(&a), rows, columns: depth, row_stride: depth, column_stride: 1 },
                    Matrix { data: &b, rows: depth, columns, row_stride: columns, column_stride: 1 },
                    0.0,
                    Matrix { data: &mut c, rows, columns, row_stride: columns, column_stride: 1 },
                );
            });
        });
        group.finish();
    }
}

criterion_group!(benches, gemm);
criterion_main!(benches);
