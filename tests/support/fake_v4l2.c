/* A USB camera for programs that are started with this in LD_PRELOAD: the kernel's V4L2 ioctls of a Logitech C920, as
 * `v4l2-ctl --all --list-formats-ext --list-ctrls-menus` shows it, behind the path in FAKE_V4L2.
 *
 * Its state is the file in FAKE_V4L2_STATE, shared by all processes: an array of int32, in the order of `enum state`.
 * Pictures: YUYV of one brightness that the control sets; MJPG is the file in FAKE_V4L2_JPEG. A buffer's time stamp is
 * by CLOCK_MONOTONIC, `AGE_MS` before it is handed over.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum state { PLUGGED, BUSY, AGE_MS, YUYV_STREAMS, FOURCC, BUFFERS, WIDTH, HEIGHT, FPS, BRIGHTNESS, WB_AUTO, WB, LINE_HZ, EXPOSURE_AUTO, EXPOSURE, STATES };

#define SLOT (4 << 20) /* whole pages, enough for 1920x1080 */
#define MAX_BUFFERS 8
#define MAX_FDS 1024

static volatile int32_t *state;
static char ours[MAX_FDS];
static int queue[MAX_BUFFERS], queued, streaming, sequence;
static struct timespec due;

static const struct control { uint32_t id, type; const char *name; int min, max, step, def, at; } controls[] = {
	{ V4L2_CID_BRIGHTNESS, V4L2_CTRL_TYPE_INTEGER, "Brightness", 0, 255, 1, 128, BRIGHTNESS },
	{ V4L2_CID_AUTO_WHITE_BALANCE, V4L2_CTRL_TYPE_BOOLEAN, "White Balance, Automatic", 0, 1, 1, 1, WB_AUTO },
	{ V4L2_CID_POWER_LINE_FREQUENCY, V4L2_CTRL_TYPE_MENU, "Power Line Frequency", 0, 2, 1, 2, LINE_HZ },
	{ V4L2_CID_WHITE_BALANCE_TEMPERATURE, V4L2_CTRL_TYPE_INTEGER, "White Balance Temperature", 2000, 6500, 1, 4000, WB },
	{ V4L2_CID_EXPOSURE_AUTO, V4L2_CTRL_TYPE_MENU, "Auto Exposure", 0, 3, 1, 3, EXPOSURE_AUTO },
	{ V4L2_CID_EXPOSURE_ABSOLUTE, V4L2_CTRL_TYPE_INTEGER, "Exposure Time, Absolute", 3, 2047, 1, 250, EXPOSURE },
};
#define CONTROLS (int)(sizeof(controls) / sizeof(controls[0]))
static const struct mode { uint32_t fourcc; int width, height, fps; } modes[] = {
	{ V4L2_PIX_FMT_YUYV, 640, 480, 30 }, { V4L2_PIX_FMT_YUYV, 1280, 720, 10 }, { V4L2_PIX_FMT_YUYV, 1920, 1080, 5 },
	{ V4L2_PIX_FMT_MJPEG, 640, 480, 30 }, { V4L2_PIX_FMT_MJPEG, 1280, 720, 30 }, { V4L2_PIX_FMT_MJPEG, 1920, 1080, 30 },
};
#define MODES (int)(sizeof(modes) / sizeof(modes[0]))
static const uint32_t formats[] = { V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_MJPEG };

static int (*real_open)(const char *, int, ...);
static int (*real_ioctl)(int, unsigned long, ...);
static int (*real_close)(int);

__attribute__((constructor)) static void begin(void)
{
	real_open = dlsym(RTLD_NEXT, "open64");
	real_ioctl = dlsym(RTLD_NEXT, "ioctl");
	real_close = dlsym(RTLD_NEXT, "close");
	const char *file = getenv("FAKE_V4L2_STATE");
	int fd = file ? real_open(file, O_RDWR) : -1;
	if (fd < 0)
		return;
	state = mmap(NULL, STATES * sizeof(int32_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	real_close(fd);
}

static int is_camera(const char *path)
{
	const char *wanted = getenv("FAKE_V4L2");
	return state && wanted && path && strcmp(path, wanted) == 0;
}

static int open_camera(void)
{
	if (!state[PLUGGED])
		return errno = ENOENT, -1;
	int fd = memfd_create("fake-v4l2", MFD_CLOEXEC);
	if (fd >= 0 && fd < MAX_FDS && ftruncate(fd, (off_t)SLOT * MAX_BUFFERS) == 0)
		ours[fd] = 1;
	return fd;
}

#define OPENER(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list rest; \
		va_start(rest, flags); \
		int mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, int) : 0; \
		va_end(rest); \
		return is_camera(path) ? open_camera() : real_open(path, flags, mode); \
	}
OPENER(open)
OPENER(open64)

int close(int fd)
{
	if (fd >= 0 && fd < MAX_FDS)
		ours[fd] = 0;
	return real_close(fd);
}

static const struct control *control_by(uint32_t id)
{
	for (int i = 0; i < CONTROLS; i++)
		if (controls[i].id == id)
			return &controls[i];
	return NULL;
}

static const struct control *control_after(uint32_t id)
{
	const struct control *found = NULL;
	for (int i = 0; i < CONTROLS; i++)
		if (controls[i].id > id && (!found || controls[i].id < found->id))
			found = &controls[i];
	return found;
}

static const struct control *asked(uint32_t id)
{
	uint32_t next = V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND;
	return id & next ? control_after(id & ~next) : control_by(id);
}

static int inactive(const struct control *control)
{
	return (control->at == WB && state[WB_AUTO]) || (control->at == EXPOSURE && state[EXPOSURE_AUTO] != 1);
}

static void adjust(struct v4l2_pix_format *pix)
{
	const struct mode *best = NULL;
	for (int i = 0; i < MODES; i++)
		if (modes[i].fourcc == pix->pixelformat && (!best || (int)pix->width >= modes[i].width))
			best = &modes[i];
	if (!best)
		best = &modes[0];
	pix->pixelformat = best->fourcc;
	pix->width = best->width;
	pix->height = best->height;
	pix->field = V4L2_FIELD_NONE;
	pix->bytesperline = best->fourcc == V4L2_PIX_FMT_YUYV ? best->width * 2 : 0;
	pix->sizeimage = best->width * best->height * 2;
	pix->colorspace = V4L2_COLORSPACE_SRGB;
}

static int rate(void)
{
	for (int i = 0; i < MODES; i++)
		if ((int)modes[i].fourcc == state[FOURCC] && modes[i].width == state[WIDTH])
			return state[FPS] && state[FPS] < modes[i].fps ? state[FPS] : modes[i].fps;
	return 30;
}

static size_t paint(unsigned char *into)
{
	if (state[FOURCC] == (int)V4L2_PIX_FMT_MJPEG) {
		int fd = real_open(getenv("FAKE_V4L2_JPEG"), O_RDONLY);
		ssize_t size = fd < 0 ? 0 : read(fd, into, SLOT);
		real_close(fd);
		return size < 0 ? 0 : size;
	}
	size_t size = (size_t)state[WIDTH] * state[HEIGHT] * 2;
	for (size_t i = 0; i < size; i += 2) {
		into[i] = state[BRIGHTNESS];
		into[i + 1] = 128;
	}
	return size;
}

static int dequeue(int fd, struct v4l2_buffer *buffer)
{
	if (!streaming || !queued)
		return errno = EINVAL, -1;
	due.tv_nsec += 1000000000L / rate();
	due.tv_sec += due.tv_nsec / 1000000000L;
	due.tv_nsec %= 1000000000L;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	if (!state[PLUGGED])
		return errno = ENODEV, -1;
	buffer->index = queue[0];
	memmove(queue, queue + 1, sizeof(queue) - sizeof(queue[0]));
	queued--;
	unsigned char *memory = mmap(NULL, SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)buffer->index * SLOT);
	buffer->bytesused = paint(memory);
	munmap(memory, SLOT);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t us = now.tv_sec * 1000000LL + now.tv_nsec / 1000 - state[AGE_MS] * 1000LL;
	buffer->timestamp.tv_sec = us / 1000000;
	buffer->timestamp.tv_usec = us % 1000000;
	buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_SOE;
	buffer->sequence = sequence++;
	buffer->length = SLOT;
	return 0;
}

static int answer(int fd, unsigned long request, void *argument)
{
	const struct control *control;
	if (!state[PLUGGED])
		return errno = ENODEV, -1;
	switch ((uint32_t)request) {
	case VIDIOC_QUERYCAP: {
		struct v4l2_capability *caps = argument;
		memset(caps, 0, sizeof(*caps));
		strcpy((char *)caps->driver, "uvcvideo");
		strcpy((char *)caps->card, "HD Pro Webcam C920");
		strcpy((char *)caps->bus_info, "usb-0000:01:00.0-1.3");
		caps->version = 0x60600;
		caps->capabilities = 0x84a00001;
		caps->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
		return 0;
	}
	case VIDIOC_ENUMINPUT:
		return ((struct v4l2_input *)argument)->index ? (errno = EINVAL, -1) : 0;
	case VIDIOC_G_INPUT:
		*(int *)argument = 0;
		return 0;
	case VIDIOC_S_INPUT:
		return 0;
	case VIDIOC_ENUM_FMT: {
		struct v4l2_fmtdesc *format = argument;
		if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || format->index > 1)
			return errno = EINVAL, -1;
		format->pixelformat = formats[format->index];
		return 0;
	}
	case VIDIOC_ENUM_FRAMESIZES: {
		struct v4l2_frmsizeenum *size = argument;
		unsigned left = size->index;
		for (int i = 0; i < MODES; i++)
			if (modes[i].fourcc == size->pixel_format && left-- == 0) {
				size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
				size->discrete.width = modes[i].width;
				size->discrete.height = modes[i].height;
				return 0;
			}
		return errno = EINVAL, -1;
	}
	case VIDIOC_ENUM_FRAMEINTERVALS: {
		struct v4l2_frmivalenum *interval = argument;
		for (int i = 0; i < MODES; i++)
			if (modes[i].fourcc == interval->pixel_format && modes[i].width == (int)interval->width && interval->index < 2) {
				interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
				interval->discrete.numerator = 1;
				interval->discrete.denominator = interval->index ? 5 : modes[i].fps;
				return 0;
			}
		return errno = EINVAL, -1;
	}
	case VIDIOC_G_FMT: {
		struct v4l2_format *format = argument;
		if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
			return errno = EINVAL, -1;
		format->fmt.pix.pixelformat = state[FOURCC];
		format->fmt.pix.width = state[WIDTH];
		adjust(&format->fmt.pix);
		return 0;
	}
	case VIDIOC_TRY_FMT:
	case VIDIOC_S_FMT: {
		struct v4l2_format *format = argument;
		if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
			return errno = EINVAL, -1;
		if (state[BUSY])
			return errno = EBUSY, -1;
		adjust(&format->fmt.pix);
		if ((uint32_t)request == VIDIOC_S_FMT) {
			state[FOURCC] = format->fmt.pix.pixelformat;
			state[WIDTH] = format->fmt.pix.width;
			state[HEIGHT] = format->fmt.pix.height;
		}
		return 0;
	}
	case VIDIOC_G_PARM:
	case VIDIOC_S_PARM: {
		struct v4l2_streamparm *parm = argument;
		struct v4l2_fract *interval = &parm->parm.capture.timeperframe;
		if ((uint32_t)request == VIDIOC_S_PARM && interval->numerator)
			state[FPS] = interval->denominator / interval->numerator;
		parm->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
		interval->numerator = 1;
		interval->denominator = rate();
		return 0;
	}
	case VIDIOC_REQBUFS: {
		struct v4l2_requestbuffers *buffers = argument;
		if (buffers->count > MAX_BUFFERS)
			buffers->count = MAX_BUFFERS;
		if (buffers->count)
			state[BUFFERS] = buffers->count;
		queued = 0;
		return 0;
	}
	case VIDIOC_QUERYBUF: {
		struct v4l2_buffer *buffer = argument;
		buffer->length = SLOT;
		buffer->m.offset = buffer->index * SLOT;
		return 0;
	}
	case VIDIOC_QBUF:
		if (queued < MAX_BUFFERS)
			queue[queued++] = ((struct v4l2_buffer *)argument)->index;
		return 0;
	case VIDIOC_DQBUF:
		return dequeue(fd, argument);
	case VIDIOC_STREAMON:
		if (state[FOURCC] == (int)V4L2_PIX_FMT_YUYV && !state[YUYV_STREAMS])
			return errno = ENOSPC, -1; /* the bus has no room, as with two cameras on one hub */
		streaming = 1;
		clock_gettime(CLOCK_MONOTONIC, &due);
		return 0;
	case VIDIOC_STREAMOFF:
		streaming = queued = 0;
		return 0;
	case VIDIOC_QUERYCTRL: {
		struct v4l2_queryctrl *query = argument;
		if (!(control = asked(query->id)))
			return errno = EINVAL, -1;
		memset(query, 0, sizeof(*query));
		query->id = control->id;
		query->type = control->type;
		query->minimum = control->min;
		query->maximum = control->max;
		query->step = control->step;
		query->default_value = control->def;
		strcpy((char *)query->name, control->name);
		return 0;
	}
	case VIDIOC_QUERY_EXT_CTRL: {
		struct v4l2_query_ext_ctrl *query = argument;
		if (!(control = asked(query->id)))
			return errno = EINVAL, -1;
		memset(query, 0, sizeof(*query));
		query->id = control->id;
		query->type = control->type;
		query->minimum = control->min;
		query->maximum = control->max;
		query->step = control->step;
		query->default_value = control->def;
		query->flags = inactive(control) ? V4L2_CTRL_FLAG_INACTIVE : 0;
		query->elem_size = 4;
		query->elems = 1;
		strcpy(query->name, control->name);
		return 0;
	}
	case VIDIOC_QUERYMENU: {
		struct v4l2_querymenu *menu = argument;
		static const char *lines[] = { "Disabled", "50 Hz", "60 Hz" };
		if (menu->id == V4L2_CID_POWER_LINE_FREQUENCY && menu->index < 3)
			return strcpy((char *)menu->name, lines[menu->index]), 0;
		if (menu->id == V4L2_CID_EXPOSURE_AUTO && (menu->index == 1 || menu->index == 3))
			return strcpy((char *)menu->name, menu->index == 1 ? "Manual Mode" : "Aperture Priority Mode"), 0;
		return errno = EINVAL, -1;
	}
	case VIDIOC_G_CTRL: {
		struct v4l2_control *value = argument;
		if (!(control = control_by(value->id)))
			return errno = EINVAL, -1;
		value->value = state[control->at];
		return 0;
	}
	case VIDIOC_S_CTRL: {
		struct v4l2_control *value = argument;
		if (!(control = control_by(value->id)))
			return errno = EINVAL, -1;
		if (inactive(control))
			return errno = EACCES, -1;
		value->value = value->value < control->min ? control->min : value->value > control->max ? control->max : value->value;
		state[control->at] = value->value;
		return 0;
	}
	}
	return errno = ENOTTY, -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list rest;
	va_start(rest, request);
	void *argument = va_arg(rest, void *);
	va_end(rest);
	if (fd >= 0 && fd < MAX_FDS && ours[fd])
		return answer(fd, request, argument);
	return real_ioctl(fd, request, argument);
}
