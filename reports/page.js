(function () {
  "use strict";
  var root = document.documentElement;
  var all = function (selector, within) { return Array.from((within || document).querySelectorAll(selector)); };
  var json = function (id) { var e = document.getElementById(id); return e ? JSON.parse(e.textContent) : null; };
  var korean = function () { return root.lang === "ko"; };
  root.classList.add("js");

  // A link to a definition opens the table that holds it.
  function open() {
    var target = location.hash && document.getElementById(location.hash.slice(1));
    var box = target && target.closest("details");
    if (box) { box.open = true; target.scrollIntoView(); }
  }
  addEventListener("hashchange", open);
  open();

  // ---- language: English stands in the page, Korean in data-ko ----
  var english = new Map();
  function swap(element, name, ko) {
    var own = english.get(element) || {};
    english.set(element, own);
    if (name === "") {
      if (!("" in own)) own[""] = element.textContent;
      element.textContent = korean() ? ko : own[""];
    } else {
      if (!(name in own)) own[name] = element.getAttribute(name);
      element.setAttribute(name, korean() ? ko : own[name]);
    }
  }
  function speak(lang) {
    root.lang = lang;
    all("[data-ko]").forEach(function (e) { swap(e, "", e.dataset.ko); });
    ["aria-label", "data-label"].forEach(function (name) {
      all("[data-ko-" + name + "]").forEach(function (e) { swap(e, name, e.getAttribute("data-ko-" + name)); });
    });
    all("[data-lang]").forEach(function (b) { b.setAttribute("aria-pressed", String(b.dataset.lang === lang)); });
    hide();
    if (data) move(day);
  }
  all("[data-lang]").forEach(function (b) {
    b.addEventListener("click", function () { speak(b.dataset.lang); });
  });

  // ---- one day for map, table, small pictures and time line ----
  var data = json("slider-data"), labels = json("labels") || {};
  var slider = document.getElementById("day"), play = document.getElementById("play"), out = document.getElementById("day-name");
  var days = labels.days ? labels.days[0].length : 0, regions = data ? data.classes[0].length : 0, day = days - 1;
  var label = function (list, i) { return labels[list] ? labels[list][korean() ? 1 : 0][i] : ""; };
  var cursors = all(".cursor"), paths = all(".map path[data-region]"), circles = all(".map circle[data-region]");
  var rows = all(".bars tr[data-region]"), tiles = all(".tile[data-region]");

  // A figure and the place it comes from move together.
  function show(element, pointer, text) {
    element.setAttribute("data-pointer", pointer);
    element.textContent = text;
  }
  function holders(k) { return "/nation/series/" + k + "/holders_per_thousand"; }
  function waits(k) { return "/nation/series/" + data.wait_row[k] + "/wait_p95_s"; }
  function wait(k) { return korean() ? data.wait_ko[k] : data.wait[k]; }
  function move(to) {
    day = Math.max(0, Math.min(days - 1, to));
    var k = function (element) { return day * regions + +element.dataset.region; };
    slider.value = day;
    slider.setAttribute("aria-valuetext", label("days", day));
    out.textContent = label("days", day);
    root.dataset.day = day;
    cursors.forEach(function (c) { c.style.left = 100 * (day + 0.5) / days + "%"; });
    paths.forEach(function (path) {
      path.setAttribute("class", "q" + data.classes[day][+path.dataset.region]);
      path.setAttribute("data-pointer", holders(k(path)));
      path.dataset.v = data.holders[k(path)];
    });
    circles.forEach(function (circle) {
      circle.setAttribute("class", "wait " + data.waits[k(circle)]);
      circle.setAttribute("data-pointer", waits(k(circle)));
      circle.dataset.v = data.wait[k(circle)];
      circle.dataset.kv = data.wait_ko[k(circle)];
    });
    rows.forEach(function (row) {
      row.querySelector("i").style.width = "calc(" + data.bars[k(row)] + "*(100% - 44px)/100)";
      var cells = row.querySelectorAll("[data-pointer]");
      show(cells[0], holders(k(row)), data.holders[k(row)]);
      show(cells[1], waits(k(row)), wait(k(row)));
    });
    tiles.forEach(function (tile) { show(tile.querySelector("[data-pointer]"), holders(k(tile)), data.holders[k(tile)]); });
  }
  if (data && slider) {
    var timer = 0;
    var stop = function () {
      clearInterval(timer);
      timer = 0;
      play.setAttribute("aria-pressed", "false");
    };
    slider.addEventListener("input", function () { stop(); move(+slider.value); });
    play.addEventListener("click", function () {
      if (timer) return stop();
      if (day === days - 1) move(0);
      play.setAttribute("aria-pressed", "true");
      timer = setInterval(function () {
        if (day >= days - 1) return stop();
        move(day + 1);
      }, 120);
    });
    tiles.forEach(function (tile) {
      var area = tile.querySelector(".area");
      var at = function (event) {
        var box = area.getBoundingClientRect();
        return Math.floor((event.clientX - box.left) / box.width * days);
      };
      area.addEventListener("click", function (event) { stop(); move(at(event)); });
      area.addEventListener("mousemove", function (event) {
        var d = Math.max(0, Math.min(days - 1, at(event)));
        tip(event.clientX, event.clientY, [tile.querySelector(".name").textContent, label("days", d)], data.holders[d * regions + +tile.dataset.region]);
      });
      area.addEventListener("mouseleave", hide);
    });
    move(day);
  }

  // ---- the value of a point: under the pointer, or by arrow keys ----
  var box = document.getElementById("tip");
  function tip(x, y, words, value) {
    box.textContent = words.filter(Boolean).join(" · ") + ": " + value;
    box.style.display = "block";
    var w = box.offsetWidth, h = box.offsetHeight;
    box.style.left = Math.max(4, Math.min(x + 12, root.clientWidth - w - 4)) + "px";
    box.style.top = (y - h - 10 < 4 ? y + 16 : y - h - 10) + "px";
  }
  function hide() {
    box.style.display = "none";
    all(".at").forEach(function (e) { e.classList.remove("at"); });
  }
  // Those who do not see the box are told by the arrow keys, not by the pointer.
  var said = document.getElementById("said");
  function tell(area, point, x, y) {
    var names = (korean() ? area.dataset.koNames : area.dataset.names).split("|");
    var where = point.dataset.l !== undefined ? (korean() ? point.dataset.kl : point.dataset.l) : point.dataset.x !== undefined ? label(area.dataset.labels, +point.dataset.x) : "";
    tip(x, y, [names[+point.dataset.s], where], (korean() && point.dataset.kv) || point.dataset.v);
  }
  var areas = all(".points");
  areas.forEach(function (area) {
    var order = null, at = null;
    area.addEventListener("mousemove", function (event) {
      var point = event.target.closest("[data-v]");
      if (!point) return hide();
      hide();
      point.classList.add("at");
      tell(area, point, event.clientX, event.clientY);
    });
    area.addEventListener("mouseleave", hide);
    area.addEventListener("click", function (event) {
      var point = event.target.closest("[data-x]");
      if (point && data && area.dataset.labels === "days") move(+point.dataset.x);
    });
    // One thing to reach and to hear: the picture with its name, what it shows,
    // and that arrow keys go through it.
    var svg = area.querySelector("svg[role=img]");
    area.tabIndex = 0;
    area.setAttribute("role", "application");
    area.setAttribute("aria-labelledby", svg.getAttribute("aria-labelledby"));
    area.setAttribute("aria-describedby", svg.getAttribute("aria-describedby") + " keys");
    svg.setAttribute("aria-hidden", "true");
    // By series, each in the order of the page.
    function sorted() {
      if (order) return order;
      var by = new Map();
      all("[data-v]", area).forEach(function (p) {
        if (!by.has(+p.dataset.s)) by.set(+p.dataset.s, []);
        by.get(+p.dataset.s).push(p);
      });
      order = Array.from(by.keys()).sort(function (a, b) { return a - b; }).map(function (k) { return by.get(k); });
      return order;
    }
    function go(point) {
      if (!point) return;
      hide();
      at = point;
      point.classList.add("at");
      var r = point.getBoundingClientRect();
      tell(area, point, r.left + r.width / 2, r.top);
      said.textContent = box.textContent;
    }
    area.addEventListener("keydown", function (event) {
      var step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      if (event.key === "Escape") return hide();
      if (!step || !sorted().length) return;
      event.preventDefault();
      if (!at) return go(order[0][0]);
      var s = order.findIndex(function (l) { return l.indexOf(at) >= 0; }), i = order[s].indexOf(at);
      if (step[0] && order[s].length === 1) step = [0, step[0]];
      if (step[0]) return go(order[s][i + step[0]]);
      var next = order[s + step[1]];
      if (next) go(next.find(function (p) { return p.dataset.x === at.dataset.x; }) || next[Math.min(i, next.length - 1)]);
    });
    area.addEventListener("blur", hide);
  });
})();
