// Seconds are milliseconds here. Without a sign of the kernel for so long the browser asks; after an answer that never
// came, again.
const PATIENCE = 1000, ATTENTION = 5000, LOST = 30000, LOOK = 100;
// Of the time between two pictures drawing may take so much: a browser that draws all the time answers no click.
const SHARE = 0.15;

// A figure is an image that its sentence describes, and a slider says what its readout says; bqplot and ipywidgets know
// nothing of that.
const say = (element, name, text) => {
  if (element && text && element.getAttribute(name) !== text) element.setAttribute(name, text);
};
const describe = () => {
  for (const says of document.querySelectorAll(".npw-panel .npw-says")) {
    const figure = says.closest(".npw-panel").querySelector(".npw-figure");
    say(figure, "role", "img");
    say(figure, "aria-label", says.textContent);
  }
  // Arrows and letters are theirs, and no shortcuts of JupyterLab for cells.
  for (const control of document.querySelectorAll(".npw select, .npw [role=slider]")) {
    say(control, "data-lm-suppress-shortcuts", "true");
  }
  // A pointer that rests on a dot reads on: bqplot writes only what was there when it came.
  const read = document.querySelector(".npw .dot:hover")?.__data__?.name;
  const written = [...document.querySelectorAll(".bqplot_mark_tooltip .datavalue")].find((each) => each.checkVisibility());
  if (read && written && written.textContent !== read) written.textContent = read;
  for (const slider of document.querySelectorAll(".npw .widget-slider")) {
    const readout = slider.closest(".npw-time")?.querySelector(".npw-when") ?? slider.querySelector(".widget-readout");
    for (const handle of slider.querySelectorAll("[role=slider]")) {
      say(handle, "aria-label", slider.querySelector(".widget-label")?.textContent);
      say(handle, "aria-valuetext", readout?.textContent.trim());
    }
  }
};

// The focus stays where it was, though the control there is exchanged for another, or has nothing to do any more.
const CONTROLS = "button, select, input, textarea, summary, [role=slider]";
const nameOf = (element) => (element.labels?.[0] ?? element).textContent.trim() || element.getAttribute("aria-label");
const outermost = (element) => {
  let root = null;
  for (let each = element?.closest(".npw"); each; each = each.parentElement?.closest(".npw")) root = each;
  return root;
};
const keptDisabled = (button) => {
  // A disabled button cannot have the focus; as long as this one has it, it only says that it is disabled.
  button.disabled = false;
  button.setAttribute("aria-disabled", "true");
  button.focus();
  const seen = new MutationObserver(() => {
    if (button.disabled) button.disabled = false;
    else over(false);
  });
  const over = (disabled) => {
    seen.disconnect();
    button.removeEventListener("blur", onBlur);
    button.removeAttribute("aria-disabled");
    button.disabled = disabled;
  };
  const onBlur = () => over(true);
  button.addEventListener("blur", onBlur);
  seen.observe(button, { childList: true });
};
const keepFocus = (keeper) => {
  const { element, root, name } = keeper.focus ?? {};
  if (!element || document.activeElement !== document.body) return;
  keeper.focus = null;
  if (element.isConnected && element.disabled) return keptDisabled(element);
  if (element.isConnected || !root.isConnected) return;
  const usable = [...root.querySelectorAll(CONTROLS)].filter((each) => !each.disabled && each.offsetParent !== null);
  const again = usable.find((each) => nameOf(each) === name) ?? usable.find((each) => keeper.lost.has(nameOf(each)));
  if (again) keeper.lost.delete(nameOf(again));
  else keeper.lost.add(name);
  (again ?? usable[0])?.focus();
};
// One for a page, whatever widgets it has: one of them may be what takes the place of another's controls.
const keeper = (window.npwKeeper ??= { users: 0, focus: null, lost: new Set() });
const attendToFocus = () => {
  const onFocus = ({ target }) => {
    const root = outermost(target);
    keeper.focus = root && target.matches(CONTROLS) ? { element: target, root, name: nameOf(target) } : null;
  };
  const onClick = (event) => {
    if (event.target.closest('.npw [aria-disabled="true"]')) event.stopImmediatePropagation();
  };
  if (keeper.users++ === 0) {
    document.addEventListener("focusin", onFocus);
    document.addEventListener("click", onClick, true);
    const keeping = setInterval(keepFocus, LOOK, keeper);
    keeper.end = () => {
      document.removeEventListener("focusin", onFocus);
      document.removeEventListener("click", onClick, true);
      clearInterval(keeping);
    };
  }
  return () => {
    if (--keeper.users === 0) keeper.end();
  };
};

// A model that was closed meanwhile cannot send any more, and complains.
const still = (send) => {
  try {
    send();
  } catch (error) {
    if (!`${error}`.includes("no comm channel")) throw error;
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
        still(() => model.save_changes());
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
      still(() => model.send({ ask: pace.number, asker: pace.id, heard: pace.heard }));
    };
    const acts = ["pointerup", "keyup", "change"];
    model.on("change:tick", onTick);
    model.on("msg:custom", onAnswer);
    acts.forEach((act) => document.addEventListener(act, onAct));
    const ending = attendToFocus();
    const looking = setInterval(look, LOOK);
    return () => {
      clearInterval(looking);
      acts.forEach((act) => document.removeEventListener(act, onAct));
      ending();
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
