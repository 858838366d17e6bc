// Seconds are milliseconds here. Without a sign of the kernel for so long the browser asks; after an answer that never
// came, again.
const PATIENCE = 1000, ATTENTION = 5000, LOST = 30000, LOOK = 100;
// Of the time between two pictures drawing may take so much: a browser that draws all the time answers no click.
const SHARE = 0.15;

// A figure is an image that its sentence describes; bqplot knows nothing of that.
const describe = () => {
  for (const says of document.querySelectorAll(".npw-panel .npw-says")) {
    const figure = says.closest(".npw-panel").querySelector(".npw-figure");
    if (figure && figure.getAttribute("aria-label") !== says.textContent) {
      figure.setAttribute("role", "img");
      figure.setAttribute("aria-label", says.textContent);
    }
  }
};

// When what has arrived is on the screen; a hidden tab draws nothing.
const painted = (then) => {
  requestAnimationFrame(() => setTimeout(then));
};

const widget = (pace) => ({
  initialize({ model }) {
    pace.heard = model.get("tick");
    const onTick = () => {
      const tick = model.get("tick");
      Object.assign(pace, { heard: tick, ever: true, sign: performance.now() });
      painted(() => {
        describe();
        model.set("drawn", tick);
        model.save_changes();
      });
    };
    const onAnswer = (answer) => {
      if (answer.asker !== pace.id || answer.number !== pace.number || !pace.waiting) return;
      const arrived = pace.sign = performance.now();
      let done = false;
      const drawn = () => {
        if (done) return;
        done = true;
        describe();
        const now = performance.now(), drawing = document.hidden ? 0 : now - arrived;
        Object.assign(pace, { waiting: false, pulled: answer.pulled, next: now + Math.max(answer.after, drawing / SHARE) });
      };
      painted(drawn);
      if (document.hidden) setTimeout(drawn, PATIENCE);
    };
    const onAct = () => {
      pace.acted = performance.now();
      // Not before what the user did has reached the kernel.
      pace.next = Math.min(pace.next, pace.acted + LOOK);
    };
    const look = () => {
      const now = performance.now();
      if (!pace.views || (pace.waiting && now - pace.asked < LOST)) return;
      const silent = now - pace.sign > PATIENCE && (!pace.ever || now - pace.acted < ATTENTION);
      if (pace.pulled ? now < pace.next : !silent) return;
      Object.assign(pace, { waiting: true, asked: now, number: pace.number + 1 });
      model.send({ ask: pace.number, asker: pace.id, heard: pace.heard });
    };
    const acts = ["pointerup", "keyup", "change"];
    model.on("change:tick", onTick);
    model.on("msg:custom", onAnswer);
    acts.forEach((act) => document.addEventListener(act, onAct));
    const looking = setInterval(look, LOOK);
    return () => {
      clearInterval(looking);
      acts.forEach((act) => document.removeEventListener(act, onAct));
      model.off("msg:custom", onAnswer);
      model.off("change:tick", onTick);
    };
  },

  render({ model }) {
    const alive = () => {
      const tick = model.get("tick");
      if (model.get("alive") !== tick) {  // else another view has said so
        model.set("alive", tick);
        model.save_changes();
      }
    };
    alive();
    const described = setInterval(describe, 500);
    model.on("change:tick", alive);
    pace.views += 1;
    return () => {
      pace.views -= 1;
      clearInterval(described);
      model.off("change:tick", alive);
    };
  },
});

// Of one model, whatever views it has.
export default () => widget({
  id: Math.random().toString(36).slice(2), number: 0, views: 0, heard: 0, ever: false,
  pulled: false, waiting: false, asked: 0, next: 0, sign: performance.now(), acted: -Infinity,
});
