// SPDX-License-Identifier: BSD-3-Clause
// What the page of hbatch report does where scripts run: zooming, all charts together; what is under the pointer; names on bars.
// Without it the page shows the same from the first to the last.
(function () {
  'use strict';
  const W = 1000, body = document.body;
  const t0 = +body.dataset.begin, span = +body.dataset.end - t0, zone = +body.dataset.zone;
  const all = (s, e) => Array.from((e || document).querySelectorAll(s));
  const make = (tag, cls, text) => {
    const e = document.createElement(tag);
    e.className = cls;
    e.textContent = text || '';
    return e;
  };
  const data = JSON.parse(document.getElementById('data').textContent);
  const frames = all('.frame'), plots = all('.plot'), axes = all('.axis');
  let x = 0, w = W; // what is seen, of 0 to W

  // The times at which an axis has marks, as report_html.c has them.
  const steps = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  function stepOf(seconds) {
    const least = seconds / 7;
    if (least > 30)
      return steps.find(s => s >= least) || Math.ceil(least / 86400) * 86400;
    const power = Math.pow(10, Math.floor(Math.log10(least)));
    return power * [1, 2, 5, 10].find(f => power * f >= least * 0.999999);
  }
  const two = n => (n < 10 ? '0' : '') + n;
  function clock(t, seconds, date) {
    const d = new Date((t + zone) * 1e3);
    const c = two(d.getUTCHours()) + ':' + two(d.getUTCMinutes()) + (seconds ? ':' + two(d.getUTCSeconds()) : '');
    return date ? 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')[d.getUTCMonth()] + ' ' + two(d.getUTCDate()) + ' ' + c : c;
  }
  function label(t, step) {
    if (span < 60 || step < 1)
      return '+' + (t - t0).toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9))) + 's';
    return clock(t, step < 60, span > 86400);
  }
  function marks() {
    const from = t0 + span * x / W, length = span * w / W, step = stepOf(length), base = span < 60 ? t0 : -zone;
    const list = [];
    for (let i = Math.ceil((from - base) / step - 1e-6); base + i * step <= from + length * 1.000001; i++)
      list.push([(base + i * step - from) / length * 100, label(base + i * step, step)]);
    return list;
  }

  // --- what is seen
  const buttons = {};
  function show() {
    w = Math.min(Math.max(w, W / 1e5), W);
    x = Math.min(Math.max(x, 0), W - w);
    for (const p of plots)
      p.setAttribute('viewBox', x + ' 0 ' + w + ' ' + p.getAttribute('viewBox').split(' ')[3]);
    const list = marks();
    for (const a of axes)
      a.replaceChildren(...list.map(([at, text]) => {
        const e = make('span', '', text);
        e.style.left = at + '%';
        return e;
      }));
    for (const b of ['Out', 'Earlier', 'Later', 'All'])
      buttons[b].disabled = w >= W;
    requestAnimationFrame(names);
  }
  function zoom(factor, at) {
    const share = at === undefined ? 0.5 : at;
    const middle = x + share * w;
    w = Math.min(w * factor, W);
    x = middle - share * w;
    show();
  }
  function whole() {
    x = 0;
    w = W;
    show();
  }

  // --- names on the bars
  const gantt = document.getElementById('gantt').querySelector('.frame');
  const bars = all('rect[data-j]', gantt).map(e => {
    const title = e.querySelector('title'), text = title.textContent;
    title.remove(); // the browser would show it, too
    return {
      e, text, j: e.dataset.j, k: +e.dataset.k, name: text.split('\n')[0].replace(/^\S+ /, ''),
      x: +e.getAttribute('x'), y: +e.getAttribute('y'), w: +e.getAttribute('width'), h: +e.getAttribute('height')
    };
  });
  const barOf = new Map(bars.map(b => [b.e, b])), ofJob = new Map();
  for (const b of bars)
    ofJob.set(b.j, (ofJob.get(b.j) || []).concat(b));
  const layer = gantt.appendChild(make('div', ''));
  layer.setAttribute('aria-hidden', 'true');
  function names() {
    const scale = gantt.clientWidth / w, seen = [];
    for (const b of bars) {
      const left = Math.max((b.x - x) * scale, 0), right = Math.min((b.x + b.w - x) * scale, gantt.clientWidth);
      if (b.h < 12 || right - left < 26 || seen.length >= 500)
        continue;
      const e = make('div', 'label', b.name);
      e.style.cssText = 'left:' + left + 'px;width:' + (right - left) + 'px;top:' + (b.y + b.h / 2 - 6.5) + 'px';
      seen.push(e);
    }
    layer.replaceChildren(...seen);
  }

  // --- what is under the pointer
  const tip = body.appendChild(make('div', 'tip'));
  tip.hidden = true;
  const cursors = frames.map(f => f.appendChild(make('div', 'cursor')));
  let lit = [];
  function light(bar) {
    for (const b of lit)
      b.e.classList.remove('same');
    lit = bar ? ofJob.get(bar.j) : [];
    for (const b of lit)
      b.e.classList.add('same');
  }
  const short = v => v >= 1000 || v === Math.round(v) ? String(Math.round(v)) : v.toPrecision(3);
  function tell(event, frame) {
    const box = frame.getBoundingClientRect(), at = (event.clientX - box.left) / box.width;
    const t = t0 + span * (x + at * w) / W, bin = Math.min(Math.max(Math.floor((t - t0) / span * data.used.length), 0), data.used.length - 1);
    const bar = barOf.get(event.target), band = event.target.querySelector && event.target.querySelector('title');
    const lines = [span < 60 ? '+' + (t - t0).toFixed(3) + ' s' : clock(t, true, span > 86400)];
    if (bar)
      lines.push(bar.text);
    else if (band && event.target.closest('#gantt'))
      lines.push(band.textContent);
    lines.push(short(data.used[bin]) + ' of ' + data.cores + ' cores used, ' + short(data.ended[bin]) + ' jobs ended/s, ' +
               short(data.waiting[bin]) + ' waiting');
    tip.textContent = lines.join('\n');
    tip.hidden = false;
    const width = tip.offsetWidth, height = tip.offsetHeight;
    tip.style.left = Math.max(4, event.clientX + 16 + width > innerWidth ? event.clientX - width - 12 : event.clientX + 16) + 'px';
    tip.style.top = (event.clientY + 18 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 18) + 'px';
    for (const c of cursors) {
      c.style.left = at * 100 + '%';
      c.hidden = false;
    }
    light(bar);
  }
  function hide() {
    tip.hidden = true;
    for (const c of cursors)
      c.hidden = true;
    light(null);
  }
  hide();

  // --- zooming
  const mark = make('div', 'mark');
  for (const f of frames) {
    let from = null;
    const share = e => {
      const box = f.getBoundingClientRect();
      return Math.min(Math.max((e.clientX - box.left) / box.width, 0), 1);
    };
    f.addEventListener('wheel', e => {
      if (e.ctrlKey || e.metaKey)
        zoom(e.deltaY < 0 ? 0.8 : 1.25, share(e));
      else if (w < W && Math.abs(e.deltaX) > Math.abs(e.deltaY)) {
        x += e.deltaX / f.clientWidth * w;
        show();
      } else
        return; // the page scrolls
      e.preventDefault();
    }, {passive: false});
    f.addEventListener('pointerdown', e => {
      if (e.button)
        return;
      from = share(e);
      f.setPointerCapture(e.pointerId);
    });
    f.addEventListener('pointermove', e => {
      if (from === null)
        return tell(e, f);
      const to = share(e);
      f.appendChild(mark);
      mark.style.left = Math.min(from, to) * 100 + '%';
      mark.style.width = Math.abs(to - from) * 100 + '%';
    });
    f.addEventListener('pointerup', e => {
      const a = Math.min(from, share(e)), b = Math.max(from, share(e)), marked = from !== null && (b - a) * f.clientWidth > 5;
      from = null;
      mark.remove();
      if (marked) {
        x += a * w;
        w *= b - a;
        show();
      }
    });
    f.addEventListener('pointercancel', () => {
      from = null;
      mark.remove();
    });
    f.addEventListener('pointerleave', hide);
    f.addEventListener('dblclick', whole);
  }

  // --- the buttons
  const tools = make('div', 'tools');
  const acts = {In: ['+', 'Zoom in', () => zoom(0.5)], Out: ['\u2212', 'Zoom out', () => zoom(2)], Earlier: ['\u2190', 'Earlier', () => { x -= w / 4; show(); }],
                Later: ['\u2192', 'Later', () => { x += w / 4; show(); }], All: ['All', 'All of the time', whole]};
  for (const name in acts) {
    const b = buttons[name] = tools.appendChild(make('button', '', acts[name][0]));
    b.title = acts[name][1];
    b.setAttribute('aria-label', acts[name][1]);
    b.addEventListener('click', acts[name][2]);
  }
  const kinds = new Map(bars.slice().sort((a, b) => a.x - b.x).map(b => [b.k, b.name])); // in the order of their first jobs
  if (kinds.size > 1) {
    const select = make('select', ''), legend = document.querySelector('#gantt .legend'), results = legend.innerHTML;
    select.setAttribute('aria-label', 'What the colours of jobs mean');
    select.append(new Option('Colours: results', ''), new Option('Colours: names', 'name'));
    const order = Array.from(kinds.keys()), colour = k => 'hsl(' + (order.indexOf(k) * 137.5 + 200) % 360 + ' 45% 42%)';
    select.addEventListener('change', () => {
      for (const b of bars)
        b.e.style.fill = select.value ? colour(b.k) : '';
      layer.style.setProperty('--on', select.value ? '#fff' : '');
      if (!select.value) {
        legend.innerHTML = results;
        return;
      }
      legend.replaceChildren(...order.slice(0, 16).map(k => {
        const e = make('span', ''), key = e.appendChild(make('i', 'key'));
        key.style.background = colour(k);
        e.append(kinds.get(k));
        return e;
      }), order.length > 16 ? 'and ' + (order.length - 16) + ' more' : '');
    });
    tools.append(select);
    if (legend.querySelectorAll('span').length === 1) { // results would be one colour
      select.value = 'name';
      select.dispatchEvent(new Event('change'));
    }
  }
  tools.append(make('span', 'note', 'Mark a part of a chart to see it closer; Ctrl and wheel zoom, a double click shows all.'));
  document.querySelector('.tiles').after(tools);
  document.addEventListener('keydown', e => {
    const name = {'+': 'In', '=': 'In', '-': 'Out', 0: 'All', ArrowLeft: 'Earlier', ArrowRight: 'Later'}[e.key];
    if (!name || e.ctrlKey || e.metaKey || e.altKey || e.target.tagName === 'SELECT' || buttons[name].disabled)
      return;
    e.preventDefault();
    acts[name][2]();
  });
  addEventListener('resize', names);
  show();
  body.dataset.ready = 'yes';
})();
