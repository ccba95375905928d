// What a CPU build of torch lacks to make tensors whose device is "cuda": a guard of that device, which here guards nothing.
#include <c10/core/impl/DeviceGuardImplInterface.h>

using c10::DeviceType;
struct OneDevice : c10::impl::NoOpDeviceGuardImpl<DeviceType::CUDA> {
  c10::Device getDevice() const override { return {DeviceType::CUDA, 0}; }
};

static const OneDevice guard;

// Taken over even where there is a real one: in this process nothing may reach a GPU.
static const bool registered = [] {
  c10::impl::device_guard_impl_registry[static_cast<size_t>(DeviceType::CUDA)].store(&guard);
  return true;
}();
