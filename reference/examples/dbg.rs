use reference::{ops::*, lockstep, ReferenceStore};
use gaptree::*;
fn main(){
 let which = std::env::args().nth(1).unwrap();
 let mut x: u64 = 88172645463325252;
 for case in 0..400 {
  let data: Vec<u8> = (0..600).map(|_| { x ^= x<<13; x^=x>>7; x^=x<<17; (x>>32) as u8}).collect();
  let mut input = Input::new(&data);
  let ops = StoreOp::<u64>::decode_all(&mut input);
  if which == "ref" { lockstep::run_store::<u64,u8,ReferenceStore<u64,u8>>(&ops); }
  else { 
    for op in &ops { eprintln!("{case} {op}"); }
    lockstep::run_store::<u64,u8,SortedVecStore<u64,u8>>(&ops); }
 }
 println!("ok");
}
