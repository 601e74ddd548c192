(function () {
  "use strict";
  // A link to a definition opens the table that holds it.
  function open() {
    var target = location.hash && document.getElementById(location.hash.slice(1));
    var box = target && target.closest("details");
    if (box) { box.open = true; target.scrollIntoView(); }
  }
  addEventListener("hashchange", open);
  open();

  var source = document.getElementById("slider-data");
  var slider = document.getElementById("day");
  if (!source || !slider) return;
  var data = JSON.parse(source.textContent);
  var regions = data.classes[0].length;
  var out = document.getElementById("day-name");
  var play = document.getElementById("play");
  var cursors = document.querySelectorAll(".cursor");
  var paths = document.querySelectorAll(".map path[data-region]");
  var rows = document.querySelectorAll(".bars tr[data-region]");
  document.documentElement.classList.add("js");

  // A figure and the place it comes from move together.
  function show(element, pointer, text) {
    element.setAttribute("data-pointer", pointer);
    element.textContent = text;
  }
  function move(day) {
    slider.value = day;
    slider.setAttribute("aria-valuetext", data.days[day]);
    out.textContent = data.days[day];
    cursors.forEach(function (c) {
      c.style.left = 100 * (day + 0.5) / data.days.length + "%";
    });
    paths.forEach(function (path) {
      var region = +path.dataset.region, k = day * regions + region;
      path.setAttribute("class", "q" + data.classes[day][region]);
      path.setAttribute("data-pointer", "/nation/series/" + k + "/holders_per_thousand");
      var title = path.querySelector("title");
      title.textContent = title.textContent.replace(/: .*$/, ": " + data.holders[k]);
    });
    rows.forEach(function (row) {
      var k = day * regions + +row.dataset.region;
      row.querySelector("i").style.width = data.bars[k] + "%";
      show(row.querySelector(".h"), "/nation/series/" + k + "/holders_per_thousand", data.holders[k]);
      show(row.querySelector(".w"), "/nation/series/" + data.wait_row[k] + "/wait_p95_s", data.wait[k]);
    });
  }
  var timer = 0;
  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = play.dataset.play;
  }
  slider.addEventListener("input", function () { stop(); move(+slider.value); });
  play.addEventListener("click", function () {
    if (timer) return stop();
    if (+slider.value === data.days.length - 1) move(0);
    play.textContent = play.dataset.pause;
    timer = setInterval(function () {
      if (+slider.value >= data.days.length - 1) return stop();
      move(+slider.value + 1);
    }, 120);
  });
  move(data.days.length - 1);

})();
