'use strict';
// Lets nodes into the mesh by their passwords. The section is there only if the gateway can do that.
(() => {
  const $ = (id) => document.getElementById(id);
  const token = new URLSearchParams(location.hash.slice(1)).get('token') || '';
  const headers = () => Object.assign({ 'Content-Type': 'application/json' }, token ? { Authorization: 'Bearer ' + token } : {});
  const left = (s) => s < 90 ? s + ' s' : Math.round(s / 60) + ' min';

  function show(list) {
    $('join-section').hidden = false;
    const rows = list.map((a) => {
      const li = document.createElement('li');
      li.append((a.node || 'any node') + ', ' + left(a.seconds) + ' left ');
      const b = li.appendChild(document.createElement('button'));
      b.type = 'button'; b.textContent = 'take back';
      b.addEventListener('click', () => ask('unjoin', { node: a.node }, b));
      return li;
    });
    const focus = document.activeElement && $('join-list').contains(document.activeElement);
    if (!focus) $('join-list').replaceChildren(...rows);
  }

  async function ask(what, body, button) {
    const out = $('join-result');
    button.disabled = true; out.textContent = '…';
    try {
      const r = await fetch('api/' + what, { method: 'POST', headers: headers(), body: JSON.stringify(body) });
      if (r.ok) {
        const answer = await r.json();
        button.blur(); show(answer.allowed); out.textContent = answer.text;
        if (what === 'join') $('join-password').value = '';
      } else out.textContent = await r.text();
    } catch (e) { out.textContent = String(e); }
    button.disabled = false;
  }

  $('join').addEventListener('submit', (e) => {
    e.preventDefault();
    ask('join', { node: $('join-node').value.trim(), password: $('join-password').value.trim().toUpperCase(), minutes: Number($('join-minutes').value) }, $('join-button'));
  });

  async function poll() {
    if (document.hidden) return;
    try {
      const r = await fetch('api/join', { headers: headers() });
      if (r.ok) show((await r.json()).allowed);
    } catch (e) { /* the page says that the gateway is gone */ }
  }
  setInterval(poll, 5000);
  poll();
})();
