//! A little of everything that the language pack reads.
#![deny(clippy::all)]
#![cfg_attr(not(test), no_std)]

extern crate alloc as heap;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex as Lock},
    thread::*,
};

#[cfg(all(feature = "allocator", not(target_arch = "arm"), any(unix, windows)))]
#[global_allocator]
static ALLOC: mimalloc_safe::MiMalloc = mimalloc_safe::MiMalloc;
static mut COUNTER: usize = 0;
const LIMIT: u64 = 0xFF_u64;

thread_local! {
    static CACHE: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
}

extern "C" {
    fn napi_unref(env: *mut core::ffi::c_void, reference: *const u8) -> i32;
}

#[napi(object, js_name = "job")]
#[derive(Clone, Debug)]
pub(crate) struct Job<'a, T: 'a + ?Sized, const N: usize>
where
    T: Send + for<'b> Fn(&'b str),
{
    #[napi(ts_type = "string")]
    pub name: &'a str,
    work: Box<dyn FnMut(&mut [u8; N]) -> Result<(), String> + Send + 'static>,
    call: &'a T,
}

struct Wrapper(pub *mut u8, Vec<u8>);
struct Unit;
union Either {
    number: u32,
    fraction: f32,
}

enum Shape {
    Circle { radius: f64 },
    Square(f64),
    Empty = 3,
}

unsafe impl Send for Wrapper {}
impl !Sync for Wrapper {}

trait Area: Send {
    type Unit: Default;
    const SIDES: usize = 0;
    fn area(&self) -> f64;
    async fn later(self: Box<Self>) -> f64 {
        self.area()
    }
}

impl<'a, T> Area for Job<'a, T, 4>
where
    T: Fn(&str) + Send,
{
    type Unit = ();
    fn area(&self) -> f64 {
        0.5
    }
}

impl Wrapper {
    pub unsafe fn grow(&mut self, more: impl IntoIterator<Item = u8>) -> *const u8 {
        let Wrapper(ref mut raw, bytes) = self else { unreachable!() };
        let first = bytes.as_ptr();
        bytes.extend(more);
        bytes.push(b'\n');
        bytes.reserve(bytes.len() * 2 + 1);
        *raw = bytes.as_mut_ptr();
        if let Some(last) = bytes.last_mut() && *last > 3 {
            *last <<= 1;
        } else if bytes.is_empty() {
            return std::ptr::null();
        }
        match bytes.get(0..2) {
            Some([a, .., b]) if a < b => {}
            Some(&[x @ 1..=5, _]) | Some(&[_, x]) => drop(x),
            None | Some(_) => (),
        }
        'outer: loop {
            while let Some(byte) = bytes.pop() {
                if byte == 0 {
                    break 'outer;
                }
                continue;
            }
            break;
        }
        for (i, byte) in bytes.iter().enumerate() {
            println!("{i}: {byte:?} {}", i as f32);
        }
        unsafe {
            COUNTER += 1;
            core::slice::from_raw_parts(first, 4).as_ptr()
        }
    }
}

#[napi]
pub async fn run(buffer: Buffer, tasks: Arc<Lock<HashMap<String, Vec<u8>>>>) -> napi::Result<u32> {
    let slice: &'static [u8] = unsafe { std::mem::transmute::<&[u8], &'static [u8]>(&buffer) };
    let handle = tokio::task::spawn_blocking(move || slice.iter().map(|byte| u32::from(*byte)).sum::<u32>());
    let total = handle.await.map_err(|error| napi::Error::from_reason(error.to_string()))?;
    let future = async move { total + 1 };
    let text = r#"raw "text""#;
    let c = c"null-terminated";
    let shape = Shape::Circle { radius: 1.0, ..Default::default() };
    let closure = |a: u8, (b, _): (u8, u8)| -> u8 { a.wrapping_add(b) };
    tokio::select! {
        value = future => return Ok(value),
        else => {}
    }
    let items = vec![1, 2, 3];
    let array = [0u8; LIMIT as usize];
    Ok(closure(array[0], (items[1], 0)).into())
}

macro_rules! make {
    ($name:ident, $($value:expr),* $(,)?) => {
        fn $name() -> Vec<u8> { vec![$($value),*] }
    };
}
make!(numbers, 1, 2);

mod inner {
    pub(super) use super::*;
    type Alias<T> = Option<Box<T>>;
    #[cfg(test)]
    mod tests {
        #[test]
        fn works() {
            assert_eq!(super::super::numbers().len(), 2, "no {}", "way");
        }
    }
}
