// Frames as turnable balls, coloured by std. Plain canvas: the page must open anywhere, for years, without a network.
"use strict";
const frames = JSON.parse(document.getElementById("frames").textContent);
const stops = [[70, 110, 200], [230, 225, 190], [215, 60, 45]];

function colour(share, shade) {
  const at = Math.min(share, 1) * 2, k = Math.min(Math.floor(at), 1), part = at - k;
  return "rgb(" + stops[k].map((c, n) => Math.round((c + (stops[k + 1][n] - c) * part) * shade)).join(",") + ")";
}

function turned(p, turn) {
  const [cy, sy, cx, sx] = [Math.cos(turn.y), Math.sin(turn.y), Math.cos(turn.x), Math.sin(turn.x)];
  const x = cy * p[0] + sy * p[2], z = -sy * p[0] + cy * p[2];
  return [x, cx * p[1] - sx * z, sx * p[1] + cx * z];
}

function show(canvas, frame) {
  const reach = Math.max(...frame.positions.map(p => Math.hypot(...p)), 1) + 1.5;
  const largest = Math.max(...frame.std, 1e-9);
  const turn = { x: 0.5, y: 0.6, zoom: 1 };

  function draw() {
    const ratio = window.devicePixelRatio || 1, size = canvas.clientWidth;
    canvas.width = canvas.height = size * ratio;
    const pen = canvas.getContext("2d"), scale = turn.zoom * size * ratio / (2 * reach);
    const order = frame.positions.map((p, k) => [turned(p, turn), k]).sort((a, b) => a[0][2] - b[0][2]);
    for (const [[x, y, z], k] of order) {
      const near = 1 + 0.25 * z / reach;
      const [u, v, r] = [canvas.width / 2 + x * scale * near, canvas.height / 2 - y * scale * near, 0.55 * scale * near];
      pen.beginPath();
      pen.arc(u, v, r, 0, 2 * Math.PI);
      pen.fillStyle = colour(frame.std[k] / largest, 0.75 + 0.25 * (z / reach + 1) / 2);
      pen.fill();
      pen.lineWidth = 0.6 * ratio;
      pen.strokeStyle = "rgba(0,0,0,0.45)";
      pen.stroke();
    }
    // The flagged atom is the first, and where everything turns about; its ring is seen through what is in front.
    pen.beginPath();
    pen.arc(canvas.width / 2, canvas.height / 2, 0.9 * scale, 0, 2 * Math.PI);
    pen.lineWidth = 2.5 * ratio;
    pen.strokeStyle = getComputedStyle(canvas).getPropertyValue("--ink");
    pen.stroke();
  }

  let held = null;
  canvas.addEventListener("pointerdown", e => { held = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointerup", () => { held = null; });
  canvas.addEventListener("pointermove", e => {
    if (!held) return;
    turn.y += 0.01 * (e.clientX - held[0]);
    turn.x += 0.01 * (e.clientY - held[1]);
    held = [e.clientX, e.clientY];
    draw();
  });
  canvas.addEventListener("wheel", e => { e.preventDefault(); turn.zoom *= Math.exp(-0.001 * e.deltaY); draw(); }, { passive: false });
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
}

for (const canvas of document.querySelectorAll("canvas[data-frame]")) show(canvas, frames[canvas.dataset.frame]);
