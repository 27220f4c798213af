'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const svgNS = 'http://www.w3.org/2000/svg';
  const nodes = new Map(), links = new Map(), history = new Map();
  let status = {}, chosen = null, stream = null, dirty = true, geo = false, plot = null, view = null;
  const token = new URLSearchParams(location.hash.slice(1)).get('token') || '';

  // The layout: forces that find places, and an own SVG.
  const sim = d3.forceSimulation([]).alphaDecay(0.03)
    .force('charge', d3.forceManyBody().strength(-220).distanceMax(600))
    .force('link', d3.forceLink([]).id((n) => n.id).distance((l) => l.tree ? 45 : 90).strength(0.25))
    .force('x', d3.forceX(0).strength(0.05)).force('y', d3.forceY(0).strength(0.06))
    .force('collide', d3.forceCollide(20)).on('tick', () => { dirty = true; }).on('end', () => { view = null; dirty = true; });

  function element(tag, attributes, parent) {
    const e = document.createElementNS(svgNS, tag);
    for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
    if (parent) parent.appendChild(e);
    return e;
  }

  function label(id) { return id.startsWith('rloc-') ? id.slice(5) : id.slice(-4); }
  function ago(ms) {
    if (!ms) return 'never';
    const s = Math.max(0, Math.round((Date.now() - ms) / 1000));
    return s < 60 ? s + ' s' : s < 3600 ? Math.round(s / 60) + ' min' : (s / 3600).toFixed(1) + ' h';
  }

  function putNode(n) {
    const old = nodes.get(n.id);
    if (old) { Object.assign(old, { parent: undefined, nextHop: undefined }, n); return false; }
    nodes.set(n.id, n);
    n.el = element('g', { class: 'node', tabindex: 0, role: 'button' }, $('nodes'));
    element('circle', { r: 12 }, n.el);
    element('text', { dy: 26 }, n.el).textContent = label(n.id);
    element('title', {}, n.el);
    n.el.addEventListener('click', () => choose(n.id));
    n.el.addEventListener('keydown', (e) => { if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); choose(n.id); } });
    drag(n);
    return true;
  }

  function putLink(l) {
    const id = l.a + '|' + l.b, old = links.get(id);
    if (old) { Object.assign(old, l); return false; }
    links.set(id, Object.assign(l, { id, source: l.a, target: l.b, el: element('line', { class: 'link' }, $('links')) }));
    element('title', {}, l.el);
    return true;
  }

  function gone(id) {
    const n = nodes.get(id) || links.get(id);
    if (!n) return;
    n.el.remove(); nodes.delete(id); links.delete(id);
  }

  // A child's place is at its parent, whether or not the two have told of the link.
  function trees() {
    for (const [id, l] of links) if (l.tree && (nodes.get(l.a) || {}).parent !== l.b) gone(id);
    for (const n of nodes.values()) {
      if (!n.parent || !nodes.has(n.parent) || links.has(n.id + '|' + n.parent) || links.has(n.parent + '|' + n.id)) continue;
      putLink({ a: n.id, b: n.parent, ab: -1, ba: -1, tree: true });
    }
  }

  function layout() {
    trees();
    const known = [...links.values()].filter((l) => nodes.has(l.a) && nodes.has(l.b));
    for (const l of known) { l.source = l.a; l.target = l.b; }
    sim.nodes([...nodes.values()]);
    sim.force('link').links(known);
    sim.alpha(0.5).restart();
  }

  function drag(n) {
    n.el.addEventListener('pointerdown', (e) => {
      n.el.setPointerCapture(e.pointerId);
      const move = (m) => { const p = point(m); n.fx = p.x; n.fy = p.y; sim.alpha(0.2).restart(); };
      n.el.addEventListener('pointermove', move);
      n.el.addEventListener('pointerup', () => { n.el.removeEventListener('pointermove', move); n.fx = n.fy = null; }, { once: true });
    });
  }
  function point(e) {
    const p = new DOMPoint(e.clientX, e.clientY).matrixTransform($('map').getScreenCTM().inverse());
    return { x: p.x, y: p.y };
  }

  function place() {
    const at = [...nodes.values()].filter((n) => n.lat !== undefined && n.lon !== undefined);
    for (const n of nodes.values()) { n.fx = n.fy = null; }
    if (geo && at.length > 1) {
      const lat = at.map((n) => n.lat), lon = at.map((n) => n.lon), k = Math.cos(lat[0] * Math.PI / 180);
      const height = Math.max(...lat) - Math.min(...lat), width = (Math.max(...lon) - Math.min(...lon)) * k;
      const scale = 500 / Math.max(height, width, 1e-6), mlat = (Math.max(...lat) + Math.min(...lat)) / 2, mlon = (Math.max(...lon) + Math.min(...lon)) / 2;
      for (const n of at) { n.fx = (n.lon - mlon) * k * scale; n.fy = (mlat - n.lat) * scale; }
    }
    sim.alpha(0.6).restart();
  }

  function way(id) {
    const on = new Set();
    for (let at = id, hops = 0; hops < 40; hops++) {
      const n = nodes.get(at);
      const next = n && (n.parent || (at === id ? n.nextHop : null));
      if (!next) break;
      on.add(at + '|' + next); on.add(next + '|' + at);
      at = next;
    }
    const self = [...nodes.values()].find((n) => n.self), n = nodes.get(id);
    const first = n && (n.parent && nodes.get(n.parent) ? nodes.get(n.parent).nextHop || n.parent : n.nextHop);
    if (self && first) { on.add(self.id + '|' + first); on.add(first + '|' + self.id); }
    return on;
  }

  // What is as it was stays untouched: the browser would do its work again for it, in each frame.
  function put(e, name, value) { if (e.getAttribute(name) !== value) e.setAttribute(name, value); }

  // The window on the map moves in steps: with each change of scale the browser measures all names anew.

  function look(x0, y0, x1, y1) {
    const w = x1 - x0, h = y1 - y0, margin = 0.05 * Math.max(w, h);
    if (view && x0 >= view.x0 && x1 <= view.x1 && y0 >= view.y0 && y1 <= view.y1 && Math.max((view.x1 - view.x0) / w, (view.y1 - view.y0) / h) < 1.4) return;
    view = { x0: x0 - margin, x1: x1 + margin, y0: y0 - margin, y1: y1 + margin };
    $('map').setAttribute('viewBox', `${view.x0} ${view.y0} ${view.x1 - view.x0} ${view.y1 - view.y0}`);
  }

  function draw() {
    requestAnimationFrame(draw);
    if (!dirty) return;
    dirty = false;
    let x0 = -150, x1 = 150, y0 = -120, y1 = 120;
    const on = chosen ? way(chosen) : new Set();
    for (const n of nodes.values()) {
      put(n.el, 'transform', `translate(${(n.x || 0).toFixed(1)},${(n.y || 0).toFixed(1)})`);
      put(n.el, 'class', `node ${n.role}${n.self ? ' self' : ''}${n.alive ? '' : ' dead'}${n.id === chosen ? ' chosen' : ''}`);
      x0 = Math.min(x0, n.x - 30); x1 = Math.max(x1, n.x + 30); y0 = Math.min(y0, n.y - 30); y1 = Math.max(y1, n.y + 40);
    }
    for (const l of links.values()) {
      const a = nodes.get(l.a), b = nodes.get(l.b);
      if (!a || !b) continue;
      put(l.el, 'x1', a.x.toFixed(1)); put(l.el, 'y1', a.y.toFixed(1)); put(l.el, 'x2', b.x.toFixed(1)); put(l.el, 'y2', b.y.toFixed(1));
      const known = [l.ab, l.ba].filter((q) => q >= 0), q = known.length ? Math.min(...known) : -1;
      put(l.el, 'class', `link ${l.tree ? 'tree' : q >= 0 ? 'q' + q : ''}${on.has(l.a + '|' + l.b) ? ' way' : ''}`);
    }
    look(x0, y0, x1, y1);
  }

  function texts() {
    for (const n of nodes.values()) {
      const t = `${n.role} ${n.id}, ${n.alive ? 'heard' : 'silent, last heard'} ${ago(n.heard)} ago`;
      n.el.setAttribute('aria-label', t); n.el.querySelector('title').textContent = t;
    }
    for (const l of links.values()) l.el.querySelector('title').textContent = `${label(l.a)} – ${label(l.b)}: ${l.ab >= 0 ? l.ab : '?'} / ${l.ba >= 0 ? l.ba : '?'}${l.rssi !== undefined ? ', ' + l.rssi + ' dBm' : ''}`;
    const body = $('table').tBodies[0], rows = [];
    for (const n of [...nodes.values()].sort((a, b) => a.id < b.id ? -1 : 1)) {
      const r = document.createElement('tr');
      r.tabIndex = 0; r.dataset.id = n.id; if (!n.alive) r.className = 'dead';
      for (const v of [n.id, n.role + (n.self ? ' (gateway)' : ''), n.rloc16, n.self ? '' : ago(n.heard), n.nextHop ? label(n.nextHop) : '']) r.appendChild(document.createElement('td')).textContent = v;
      rows.push(r);
    }
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.id : null;
    body.replaceChildren(...rows);
    if (focused) { const r = rows.find((r) => r.dataset.id === focused); if (r) r.focus(); }
    detail();
  }
  $('table').addEventListener('click', (e) => { const r = e.target.closest('tr[data-id]'); if (r) choose(r.dataset.id); });
  $('table').addEventListener('keydown', (e) => { if (e.key === 'Enter' && e.target.dataset.id) choose(e.target.dataset.id); });

  function choose(id) { chosen = chosen === id ? null : id; dirty = true; $('node').replaceChildren(); detail(); }

  function detail() {
    const box = $('node'), n = nodes.get(chosen);
    if (!n) { box.innerHTML = '<p>Choose a node on the map or in the table.</p>'; return; }
    let dl = box.querySelector('dl');
    if (!dl) {
      box.replaceChildren();
      dl = box.appendChild(document.createElement('dl'));
      for (const what of ['ping', 'trace']) {
        const b = box.appendChild(document.createElement('button'));
        b.textContent = what; b.disabled = n.self; b.addEventListener('click', () => act(what, { node: n.id }, b));
      }
      if (!n.self) {
        const form = box.appendChild(document.createElement('form')), input = form.appendChild(document.createElement('input')), b = form.appendChild(document.createElement('button'));
        input.setAttribute('aria-label', 'Text for the board'); input.placeholder = 'text for the board'; input.maxLength = 200; input.required = true;
        b.textContent = 'send';
        form.addEventListener('submit', (e) => { e.preventDefault(); act('text', { node: n.id, text: input.value }, b); });
      }
      box.appendChild(document.createElement('pre')).hidden = true;
    }
    const rows = [['MAC', n.id], ['role', n.role], ['RLOC16', n.rloc16], ['heard', ago(n.heard) + ' ago'], ['addresses', (n.addresses || []).join('\n')],
      ['parent', n.parent], ['next hop', n.nextHop], ['cost', n.cost >= 0 ? n.cost : '']];
    if (n.lat !== undefined) rows.push(['position', n.lat.toFixed(5) + ', ' + n.lon.toFixed(5)]);
    dl.replaceChildren();
    for (const [k, v] of rows) if (v !== undefined && v !== '') {
      dl.appendChild(document.createElement('dt')).textContent = k; dl.appendChild(document.createElement('dd')).textContent = v;
    }
  }

  async function act(what, ask, button) {
    const out = $('node').querySelector('pre');
    button.disabled = true; out.hidden = false; out.textContent = what + ' …';
    try {
      const headers = { 'Content-Type': 'application/json' };
      if (token) headers.Authorization = 'Bearer ' + token;
      const r = await fetch('api/' + what, { method: 'POST', headers, body: JSON.stringify(ask) });
      out.textContent = r.ok ? (await r.json()).text : await r.text();
    } catch (e) { out.textContent = String(e); }
    button.disabled = false;
  }

  function showStatus() {
    $('mesh').textContent = status.mesh || 'mesh';
    document.title = 'pymesh ' + (status.mesh || '');
    const alive = [...nodes.values()].filter((n) => n.alive).length;
    $('status').textContent = `${status.role || '?'} ${status.rloc16 || ''} · ${alive} of ${nodes.size} nodes · partition ${status.partition || '?'} · broker ${status.broker || 'off'}` +
      (status.waiting ? ` · ${status.waiting} waiting` : '') + (status.lost ? ` · ${status.lost} lost` : '');
    const duty = $('duty'); duty.replaceChildren();
    for (const d of status.duty || []) {
      const p = duty.appendChild(document.createElement('p'));
      p.textContent = `${d.band}: ${d.used.toFixed(1)} s` + (d.limit ? ` of ${d.limit.toFixed(0)} s in the last hour` : ' in the last hour, no limit');
      if (!d.limit) continue;
      const share = Math.min(1, d.used / d.limit), bar = duty.appendChild(document.createElement('div'));
      bar.className = 'bar'; bar.setAttribute('role', 'meter'); bar.setAttribute('aria-valuenow', Math.round(share * 100)); bar.setAttribute('aria-label', d.band);
      const fill = bar.appendChild(document.createElement('div')); fill.style.width = (share * 100) + '%'; if (share > 0.8) fill.className = 'much';
    }
    const rows = Object.entries(status.counters || {}).sort().map(([k, v]) => {
      const r = document.createElement('tr');
      r.appendChild(document.createElement('td')).textContent = k;
      const c = r.appendChild(document.createElement('td')); c.className = 'number'; c.textContent = v;
      return r;
    });
    $('counters').tBodies[0].replaceChildren(...rows);
  }

  function addEvents(list) {
    const log = $('log');
    for (const e of list) {
      const li = document.createElement('li'), t = li.appendChild(document.createElement('time'));
      t.textContent = new Date(e.time).toLocaleTimeString(); li.append(e.text); li.className = e.kind;
      log.prepend(li);
    }
    while (log.children.length > 200) log.lastChild.remove();
  }

  function sample(rssi) {
    for (const [id, v] of Object.entries(rssi)) { const h = history.get(id) || []; h.push(v); if (h.length > 360) h.shift(); history.set(id, h); }
    drawRSSI();
  }
  function drawRSSI() {
    const ids = [...history.keys()].sort(), n = Math.max(2, ...ids.map((id) => history.get(id).length)), now = Date.now() / 1000;
    const data = [Array.from({ length: n }, (_, i) => now - (n - 1 - i) * 10), ...ids.map((id) => { const h = history.get(id); return [...Array(n - h.length).fill(null), ...h]; })];
    if (plot && plot.ids === ids.join()) { plot.setData(data); return; }
    if (plot) plot.destroy();
    const ink = getComputedStyle(document.body).color, hue = (i) => `hsl(${(i * 137) % 360} 60% 50%)`;
    const axis = { stroke: ink, grid: { stroke: 'rgba(128,128,128,.25)' }, ticks: { stroke: 'rgba(128,128,128,.25)' } };
    plot = new uPlot({ width: Math.max(240, $('rssi').clientWidth), height: 220, axes: [axis, axis], series: [{}, ...ids.map((id, i) => ({ label: label(id), stroke: hue(i), width: 2 }))] }, data, $('rssi'));
    plot.ids = ids.join();
  }
  addEventListener('resize', () => { if (plot) plot.setSize({ width: Math.max(240, $('rssi').clientWidth), height: 220 }); });

  function snapshot(s) {
    const keep = new Set([...s.nodes.map((n) => n.id), ...s.links.map((l) => l.a + '|' + l.b)]);
    for (const id of [...nodes.keys(), ...links.keys()]) if (!keep.has(id)) gone(id);
    s.nodes.forEach(putNode); s.links.forEach(putLink);
    status = s.status; history.clear();
    for (const [id, h] of Object.entries(s.history)) history.set(id, h);
    $('log').replaceChildren(); addEvents(s.events);
    layout(); showStatus(); texts(); drawRSSI(); dirty = true;
  }

  function delta(d) {
    let fresh = false;
    for (const n of d.nodes || []) fresh = putNode(n) || fresh;
    for (const l of d.links || []) fresh = putLink(l) || fresh;
    for (const id of d.gone || []) { gone(id); fresh = true; }
    if (d.status) status = d.status;
    if (d.events) addEvents(d.events);
    if (d.rssi) sample(d.rssi);
    if (fresh) layout(); else if (d.nodes) trees();
    showStatus(); if (d.nodes || d.links || d.gone) texts();
    dirty = true;
  }

  function connect() {
    if (stream) return;
    stream = new EventSource('api/events' + (token ? '?token=' + encodeURIComponent(token) : ''));
    stream.addEventListener('snapshot', (e) => snapshot(JSON.parse(e.data)));
    stream.addEventListener('delta', (e) => delta(JSON.parse(e.data)));
    stream.onerror = () => { $('status').textContent = 'no connection to the gateway, trying again…'; if (stream.readyState === EventSource.CLOSED) { stream = null; setTimeout(connect, 2000); } };
  }
  document.addEventListener('visibilitychange', () => { if (document.hidden) { if (stream) stream.close(); stream = null; } else connect(); });
  $('geo').addEventListener('change', (e) => { geo = e.target.checked; place(); });
  setInterval(() => { if (!document.hidden) texts(); }, 5000);
  draw(); connect();
})();
