// Moves the feed to a place. A move that starts while another runs goes on from where that one is,
// so that each press moves exactly one item and none is lost. Whoever scrolls meanwhile wins.

const BASE_MS = 300;
const FOREIGN_PX = 2; // a larger difference from what was set is someone else's scrolling

export class Motion {
  constructor(scroller, { smooth, speed }, onsettle) {
    this.scroller = scroller;
    this.duration = smooth ? BASE_MS / Math.sqrt(Math.max(1, speed)) : 0;
    this.onsettle = onsettle;
    this.frame = 0;
  }

  get moving() {
    return this.frame !== 0;
  }

  to(top) {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.duration) {
      this.scroller.scrollTop = top;
      return;
    }
    const from = this.scroller.scrollTop;
    const start = performance.now();
    let place = from;
    this.scroller.classList.add("moving"); // snapping would fight each step
    const step = (now) => {
      const part = Math.min(1, Math.max(0, now - start) / this.duration);
      const foreign = Math.abs(this.scroller.scrollTop - place) > FOREIGN_PX;
      if (!foreign) {
        this.scroller.scrollTop = from + (top - from) * (1 - (1 - part) ** 3);
        place = this.scroller.scrollTop;
      }
      if (part < 1 && !foreign) {
        this.frame = requestAnimationFrame(step);
      } else {
        this.frame = 0;
        this.scroller.classList.remove("moving");
        this.onsettle();
      }
    };
    this.frame = requestAnimationFrame(step);
  }
}
